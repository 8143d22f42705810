using Microsoft.Extensions.DependencyInjection;
using ServiceMesh.Support;

namespace ServiceMesh.Core.Tests;

/// <summary>
/// Topics whose handlers do simple arithmetic, steps that fail with a given status, and lambdas that record their input.
/// </summary>
internal static class Steps
{
    public static readonly RequestTopic<int, int> Add1 = new("steps.add1");
    public static readonly RequestTopic<int, int> Double = new("steps.double");
    public static readonly RequestTopic<int, string> Text = new("steps.text");
    public static readonly RequestTopic<string, int> Length = new("steps.length");
    public static readonly RequestTopic<int, int> Unhandled = new("steps.unhandled");

    public static Task<TestNode> NodeAsync(params (string, string)[] settings) => TestNode.StartAsync(AddTo, settings);

    public static void AddTo(IServiceMeshBuilder bus) => bus
        .AddInMemoryTransport()
        .AddHandler(Add1, (x, _) => x + 1)
        .AddHandler(Double, (x, _) => x * 2)
        .AddHandler(Text, (x, _) => new string('x', x))
        .AddHandler(Length, (text, _) => text.Length);

    public static Composition<int, int> Note(List<int> inputs, int answer) => Compose.Lambda((int x) =>
    {
        inputs.Add(x);
        return answer;
    });

    public static Composition<int, int> Fail(StatusCode status, string name = "fail") => new Failing(status, name, refused: false);

    /// <summary>A step that behaves like a request that was refused before a handler ran.</summary>
    public static Composition<int, int> Refuse(StatusCode status = StatusCode.Overloaded, TimeSpan? retryAfter = null) =>
        new Failing(status, "busy", refused: true, retryAfter);

    /// <summary>A step that behaves exactly like a request that failed.</summary>
    private sealed class Failing(StatusCode status, string name, bool refused, TimeSpan? retryAfter = null) : Composition<int, int>
    {
        internal override ValueTask<Reply<int>> RunAsync(int input, CompositionRun run) =>
            new(Reply<int>.Failed(
                new(status, name, $"Told to fail with {input}.", refused) { RetryAfter = retryAfter }, Headers.Of(("from", name))));

        public override string ToString() => name;
    }
}
