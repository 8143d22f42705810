using System.Collections.Concurrent;

namespace ServiceMesh.Conformance.Compositions;

/// <summary>Where programs run for real: what their handlers and local functions do, and the log of what they did.</summary>
public sealed class Stage
{
    /// <summary>How many topics there are.</summary>
    public const int Topics = 24;

    private static readonly RequestTopic<int, int> s_unhandled = new("oracle.unhandled");

    private static readonly RequestTopic<int, int>[] s_plain = Make(isIdempotent: false);
    private static readonly RequestTopic<int, int>[] s_idempotent = Make(isIdempotent: true);

    private readonly ConcurrentDictionary<int, int> _calls = new();
    private readonly ConcurrentDictionary<int, Act> _acts = new();

    /// <summary>Makes time pass.</summary>
    public Action<TimeSpan> Tick { get; init; } = _ => throw new InvalidOperationException("Time cannot pass here.");

    /// <summary>The caller of the program that runs.</summary>
    public CancellationTokenSource Caller { get; set; } = new();

    /// <summary>What ran, with its input.</summary>
    public ConcurrentQueue<(int Number, int Input)> Ran { get; } = new();

    /// <summary>The topics that a node handles.</summary>
    public static IReadOnlyList<RequestTopic<int, int>> Handled => s_plain;

    /// <summary>Forgets the program before.</summary>
    public void Clear()
    {
        _calls.Clear();
        _acts.Clear();
        Ran.Clear();
    }

    /// <summary>Answers a request.</summary>
    public int Handle(int number, int input, HandlerContext context)
    {
        var act = _acts[number];
        if (act.Kind == ActKind.FailsWithValue)
        {
            Ran.Enqueue((number, input));
            context.Status = (StatusCode)409;
            return input;
        }

        return Run(number, act, input);
    }

    internal RequestTopic<int, int> Topic(Node.Request request)
    {
        if (request.Act.Kind == ActKind.Unhandled)
        {
            return s_unhandled;
        }

        _acts[request.Number] = request.Act;
        return (request.IsIdempotent ? s_idempotent : s_plain)[request.Number];
    }

    internal int Run(int number, Act act, int input)
    {
        if (act.Kind != ActKind.FailsQuietly)
        {
            Ran.Enqueue((number, input));
        }

        switch (act.Kind)
        {
            case ActKind.Fails or ActKind.FailsQuietly:
            case ActKind.FailsAtFirst when _calls.AddOrUpdate(number, 1, (_, calls) => calls + 1) <= act.Failures:
                throw new ReplyException((StatusCode)act.Number, "Told to fail.");
            case ActKind.Throws:
                throw new InvalidTimeZoneException("Told to throw.");
            case ActKind.Ticks:
                Tick(TimeSpan.FromMilliseconds(act.Number));
                return input;
            case ActKind.Cancels:
                Caller.Cancel();
                return input;
            case ActKind.FailsAtFirst:
                return input;
            default:
                return Node.Mix(input, act.Number);
        }
    }

    private static RequestTopic<int, int>[] Make(bool isIdempotent) =>
        [.. Enumerable.Range(0, Topics).Select(i => new RequestTopic<int, int>($"oracle.leaf{i}") { IsIdempotent = isIdempotent })];
}
