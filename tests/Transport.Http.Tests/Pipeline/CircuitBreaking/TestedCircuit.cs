using Microsoft.Extensions.Time.Testing;

namespace ServiceMesh.Http.Tests;

/// <summary>A breaker, its clock, its changes, and calls through it.</summary>
internal sealed class TestedCircuit
{
    public TestedCircuit(Action<CircuitBreakerOptions>? configure = null, int seed = 1)
    {
        var settings = new CircuitBreakerOptions();
        configure?.Invoke(settings);
        Clock.Advance(TimeSpan.FromSeconds(1000));
        Breaker = new("weather", settings, Clock, seed);
        Breaker.Changed += (_, change) => Changes.Add(change);
    }

    public FakeTimeProvider Clock { get; } = new();

    public CircuitBreaker Breaker { get; }

    public List<CircuitChange> Changes { get; } = [];

    public string History => string.Join(' ', Changes.Select(c => $"{c.From}-{c.To}:{c.Cause}"));

    public void Pass(double seconds) => Clock.Advance(TimeSpan.FromSeconds(seconds));

    /// <summary>A call that must be admitted and has not ended.</summary>
    public CircuitPass Begin() => Breaker.TryEnter(out var pass) ? pass : throw new InvalidOperationException("not admitted");

    public void Call(bool failed, int times = 1)
    {
        for (var i = 0; i < times; i++)
        {
            Breaker.Report(Begin(), failed);
        }
    }

    public bool IsRefused() => !Breaker.TryEnter(out _);

    /// <summary>Calls fail until it opens.</summary>
    public TestedCircuit Trip()
    {
        Call(failed: true, times: 10);
        Pass(1);
        Call(failed: true);
        return this;
    }

    /// <summary>To where the open window has passed.</summary>
    public TestedCircuit WaitForTrial()
    {
        Clock.Advance(Breaker.OpenUntil!.Value - Clock.GetUtcNow());
        return this;
    }
}
