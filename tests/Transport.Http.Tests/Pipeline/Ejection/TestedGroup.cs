using System.Collections.Immutable;
using Microsoft.Extensions.Time.Testing;

namespace ServiceMesh.Http.Tests;

/// <summary>A group of endpoints called a, b, c, …, its clock, what is told of it, and a balancer over it.</summary>
internal sealed class TestedGroup : IDisposable
{
    public TestedGroup(int size, Action<OutlierEjectionOptions>? configure = null, string balancer = "Random")
    {
        var settings = new OutlierEjectionOptions();
        configure?.Invoke(settings);
        Clock.Advance(TimeSpan.FromSeconds(1000));
        Ejection = new(settings, Clock);
        Ejection.Changed += (_, change) =>
        {
            var what = change.IsEjected ? "out" : "back";
            Told.Add($"{NameOf(change.Endpoint)} {what}: {change.Cause}, {change.Times}, {change.Time.TotalSeconds:0} s");
        };
        All = [.. Enumerable.Range(0, size).Select(i => Make(i))];
        Ejection.Update(All);
        Balancer = new BalancerKinds([]).Create(balancer, new() { Clock = Clock, Random = new Random(1) });
        Balancer.Update(All);
    }

    public static AttemptOutcome Failure { get; } = AttemptOutcome.OfFailure(wasSent: true);

    public static AttemptOutcome Success { get; } =
        AttemptOutcome.OfAnswer(200, isFromNode: true, isNotProcessed: false, null, TimeSpan.FromMilliseconds(10));

    public FakeTimeProvider Clock { get; } = new();

    public OutlierEjection Ejection { get; }

    public ImmutableArray<Endpoint> All { get; private set; }

    public IBalancer Balancer { get; }

    public List<string> Told { get; } = [];

    public Endpoint this[int index] => All[index];

    /// <summary>The names of those that are ejected.</summary>
    public string Out => string.Concat(All.Where(e => e.IsEjected).Select(NameOf));

    public static string NameOf(Endpoint endpoint) => ((char)('a' + endpoint.Address.Port - 1)).ToString();

    public Endpoint Make(int index, int priority = 0) => new(new("10.0.0.1", index + 1) { Priority = priority }, Clock);

    public void Replace(params Endpoint[] endpoints)
    {
        All = [.. endpoints];
        Ejection.Update(All);
        Balancer.Update(All);
    }

    public void Pass(double seconds) => Clock.Advance(TimeSpan.FromSeconds(seconds));

    public void Fail(int index, int times = 5)
    {
        for (var i = 0; i < times; i++)
        {
            Failure.ApplyTo(All[index]);
        }
    }

    public void Succeed(int index, int times = 1)
    {
        for (var i = 0; i < times; i++)
        {
            Success.ApplyTo(All[index]);
        }
    }

    /// <summary>
    /// Requests for so many seconds, a hundred a second at each endpoint, of which these shares fail: never five in a row.
    /// </summary>
    public void Run(int seconds, params double[] failing)
    {
        var owed = new double[failing.Length];
        for (var i = 0; i < seconds * 100; i++)
        {
            for (var e = 0; e < failing.Length; e++)
            {
                owed[e] += failing[e];
                if (owed[e] >= 1)
                {
                    owed[e]--;
                    Failure.ApplyTo(All[e]);
                }
                else
                {
                    Succeed(e);
                }
            }

            Pass(0.01);
        }
    }

    /// <summary>Which endpoints get any of 300 picks.</summary>
    public string Picked() =>
        string.Concat(Enumerable.Range(0, 300).Select(_ => Balancer.Pick(default)).OfType<Endpoint>().Select(NameOf).Distinct().Order());

    /// <summary>Opens the circuit of an endpoint by failures.</summary>
    public void Break(int index)
    {
        for (var i = 0; All[index].Breaker.State == CircuitState.Closed && i < 100; i++)
        {
            if (All[index].Breaker.TryEnter(out var pass))
            {
                All[index].Breaker.Report(pass, failed: true);
            }

            Pass(0.1);
        }
    }

    public void Dispose() => Ejection.Dispose();
}
