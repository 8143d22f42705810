using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Diagnostics.Metrics;
using Microsoft.Extensions.Time.Testing;
using Polly;

namespace ServiceMesh.Http.Tests;

/// <summary>
/// A call whose attempts end as a test says, by endpoint: <c>a</c>, <c>b</c>, … in turn. What was sent where stands in
/// <see cref="Sent"/>.
/// </summary>
internal sealed class ScriptedCall(
    Endpoints endpoints, CallSettings settings, Func<string, CancellationToken, Task<AttemptResult<string>>> server,
    IBalancer? balancer = null)
    : Call<string>(settings)
{
    private readonly IBalancer _balancer = balancer ?? endpoints.Balancer("RoundRobin");

    public ConcurrentQueue<string> Sent { get; } = new();

    public ConcurrentQueue<AttemptResult<string>> Discarded { get; } = new();

    public bool Repeatable { get; init; } = true;

    public bool Consumed { get; set; }

    /// <summary>Told whenever the rules ask whether it can be sent again.</summary>
    public Action Asked { get; init; } = () => { };

    public bool BodySurvives { get; init; } = true;

    public TimeSpan Left { get; init; } = TimeSpan.FromSeconds(30);

    public TimeSpan Total { get; init; } = Timeout.InfiniteTimeSpan;

    public override bool IsRepeatable => Repeatable;

    public override bool CanBeSentAgain
    {
        get
        {
            Asked();
            return !Consumed;
        }
    }

    public string Name { get; init; } = "letters";

    public override string Service => Name;

    public override TimeSpan Remaining => Left;

    public override TimeSpan TotalLimit => Total;

    public override async ValueTask<Outcome<AttemptResult<string>>> SendAsync(Endpoint endpoint, CancellationToken cancellationToken)
    {
        var name = Http.Tests.Endpoints.NameOf(endpoint);
        Sent.Enqueue(name);
        try
        {
            return Outcome.FromResult(await server(name, cancellationToken).ConfigureAwait(false));
        }
        catch (OperationCanceledException cancelled)
        {
            return Outcome.FromException<AttemptResult<string>>(cancelled);
        }
    }

    public override string Describe(Endpoint endpoint) => Http.Tests.Endpoints.NameOf(endpoint);

    public override AttemptResult<string> NoEndpoint() => new("no endpoint", ScriptedOutcomes.NotSent);

    public override AttemptResult<string> TooMany(int max) => new($"more than {max}", ScriptedOutcomes.Answered);

    public override void Discard(AttemptResult<string> answer) => Discarded.Enqueue(answer);

    protected override bool BodySurvivesAttempts => BodySurvives;

    public override ImmutableArray<Endpoint> Endpoints => endpoints.All;

    protected override int StatusOf(string reply) => int.TryParse(reply, out var status) ? status : 200;

    public override string? HashKey => null;

    public override Endpoint? Pick(in PickContext context) => _balancer.Pick(context);
}

/// <summary>A stack of layers over endpoints with a clock that stands still, and what a scripted server may answer.</summary>
internal sealed class Layers
{
    public static readonly AttemptResult<string> Ok = new("ok", ScriptedOutcomes.Answered);
    public static readonly AttemptResult<string> Refused = new(null, ScriptedOutcomes.NotSent, new IOException("refused"));
    public static readonly AttemptResult<string> Broken = new("503", ScriptedOutcomes.Broken);
    public static readonly AttemptResult<string> Full = new("429", ScriptedOutcomes.Declined);

    public Layers(int endpoints = 3, HttpRetryBudgetOptions? budget = null, int concurrency = 1000)
    {
        Endpoints = new([.. Enumerable.Repeat(1, endpoints)]);
        Budgets = new(budget ?? new(), Endpoints.Clock, []);
        Stack = new(new() { Concurrency = concurrency }, Budgets, Endpoints.Clock, new Random(1), new(Meter));
    }

    public Endpoints Endpoints { get; }

    public FakeTimeProvider Clock => Endpoints.Clock;

    public RetryBudgets Budgets { get; }

    /// <summary>The budget of the service of scripted calls.</summary>
    public RetryBudget Budget => Budgets.Of("letters");

    public Meter Meter { get; } = new("tests");

    public ClientPipeline<string> Stack { get; }

    /// <summary>No pause between attempts, so that a clock which stands still is enough.</summary>
    public static CallSettings AtOnce { get; } = new() { Backoff = TimeSpan.Zero };

    public ScriptedCall Call(Func<string, AttemptResult<string>> server, CallSettings? settings = null) =>
        new(Endpoints, settings ?? AtOnce, (name, _) => Task.FromResult(server(name)));

    public async Task<AttemptResult<string>> SendAsync(ScriptedCall call, CancellationToken cancellationToken = default) =>
        await Stack.SendAsync(call, cancellationToken).ConfigureAwait(false);
}
