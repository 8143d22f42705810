using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using Microsoft.Extensions.DependencyInjection;

namespace ServiceMesh.Support;

/// <summary>All measurements of one host. Other tests in the process have another meter factory.</summary>
public sealed class RecordedMetrics : IDisposable
{
    private readonly MeterListener _listener = new();
    private readonly ConcurrentDictionary<string, ConcurrentQueue<Measured>> _all = new();

    public RecordedMetrics(IServiceProvider services)
    {
        var factory = services.GetRequiredService<IMeterFactory>();
        _listener.InstrumentPublished = (instrument, listener) =>
        {
            if (instrument.Meter.Name == "ServiceMesh" && ReferenceEquals(instrument.Meter.Scope, factory))
            {
                Units[instrument.Name] = instrument.Unit;
                listener.EnableMeasurementEvents(instrument);
            }
        };
        _listener.SetMeasurementEventCallback<double>(Record);
        _listener.SetMeasurementEventCallback<long>((instrument, value, tags, state) => Record(instrument, value, tags, state));
        _listener.SetMeasurementEventCallback<int>((instrument, value, tags, state) => Record(instrument, value, tags, state));
        _listener.Start();
    }

    /// <summary>The unit of each instrument, by its name.</summary>
    public ConcurrentDictionary<string, string?> Units { get; } = new();

    /// <summary>All measurements of an instrument, in their order.</summary>
    public Measured[] Of(string instrument) => _all.TryGetValue(instrument, out var own) ? [.. own] : [];

    /// <summary>The sum of the measurements that have all these tags.</summary>
    /// <param name="instrument">Its name.</param>
    /// <param name="tags">Each as <c>name=value</c>.</param>
    public double Sum(string instrument, params string[] tags) =>
        Of(instrument).Where(m => tags.All(m.Tags.Split(' ').Contains)).Sum(m => m.Value);

    /// <summary>Measures an observable instrument now.</summary>
    public Measured[] Observe(string instrument)
    {
        var before = Of(instrument).Length;
        _listener.RecordObservableInstruments();
        return Of(instrument)[before..];
    }

    public void Dispose() => _listener.Dispose();

    private void Record(Instrument instrument, double value, ReadOnlySpan<KeyValuePair<string, object?>> tags, object? state) =>
        _all.GetOrAdd(instrument.Name, _ => new()).Enqueue(
            new(instrument.Name, value, string.Join(' ', tags.ToArray().Select(t => $"{t.Key}={t.Value}"))));

    /// <summary>One measurement, its tags as <c>name=value</c> separated by spaces.</summary>
    public sealed record Measured(string Instrument, double Value, string Tags);
}
