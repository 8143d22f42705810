using System.Diagnostics.Metrics;
using Microsoft.Extensions.Logging;

namespace ServiceMesh.Redis;

/// <summary>Knows whether there is a gap, and tells of its beginning and end: a log line, metrics, events. Thread-safe.</summary>
internal sealed class GapWatch(RedisGaps events, IMeterFactory meters, TimeProvider clock, ILogger logger)
{
    private readonly Lock _lock = new();
    private readonly Instruments _instruments = new(meters.Create(MeshTelemetry.MeterName));

    // Events are told in order, one after the other, and never on a thread of the client.
    private Task _telling = Task.CompletedTask;
    private volatile RedisGap? _current;

    public RedisGap? Current => _current;

    public void Begin(string reason)
    {
        RedisGap? begun = null;
        lock (_lock)
        {
            if (_current is null)
            {
                _current = begun = new() { From = clock.GetUtcNow(), Reason = reason };
                TellNeedsLock(begun);
            }
        }

        if (begun is not null)
        {
            _instruments.Began();
            RedisLog.GapBegan(logger, reason);
        }
    }

    /// <summary>Ends the gap, unless the connection broke again meanwhile; true when the gap is over.</summary>
    public bool TryEnd(Func<bool> isWhole)
    {
        RedisGap ended;
        lock (_lock)
        {
            if (_current is null || !isWhole())
            {
                return _current is null;
            }

            ended = _current with { To = clock.GetUtcNow() };
            _current = null;
            TellNeedsLock(ended);
        }

        _instruments.Ended(ended);
        RedisLog.GapEnded(logger, ended.From, ended.To.Value);
        return true;
    }

    private void TellNeedsLock(RedisGap gap) => _telling = CleanContext.Call(() => _telling.ContinueWith(
        _ => events.Raise(gap, failure => RedisLog.GapHandlerFailed(logger, failure)),
        CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default));

    private sealed class Instruments(Meter meter)
    {
        private readonly Counter<long> _gaps = meter.CreateCounter<long>(
            "servicemesh.redis.gaps", "{gap}", "Times in which the connection to Redis was away, counted when they begin.");

        private readonly Histogram<double> _duration = meter.CreateHistogram<double>(
            "servicemesh.redis.gap.duration", "s", "How long the connection to Redis was away.");

        public void Began() => _gaps.Add(1);

        public void Ended(RedisGap gap) => _duration.Record((gap.To!.Value - gap.From).TotalSeconds);
    }
}
