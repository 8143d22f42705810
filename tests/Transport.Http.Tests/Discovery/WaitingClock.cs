using System.Threading.Channels;
using ServiceMesh.Conformance;

namespace ServiceMesh.Http.Tests;

/// <summary>A clock over another one that tells when a timer is started on it: then the other may be moved.</summary>
internal sealed class WaitingClock(TimeProvider clock) : TimeProvider
{
    private readonly Channel<TimeSpan> _waits = Channel.CreateUnbounded<TimeSpan>();

    public override long TimestampFrequency => clock.TimestampFrequency;

    /// <summary>Ends when a timer has been started that no other call has seen.</summary>
    public async Task WaitsAsync() => await _waits.Reader.ReadAsync().AsTask().InTime();

    /// <summary>Ends when a timer of this time has been started; those before it are passed over.</summary>
    public async Task WaitsAsync(TimeSpan time)
    {
        while (await _waits.Reader.ReadAsync().AsTask().InTime() != time)
        {
        }
    }

    public override long GetTimestamp() => clock.GetTimestamp();

    public override DateTimeOffset GetUtcNow() => clock.GetUtcNow();

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        var timer = clock.CreateTimer(callback, state, dueTime, period);
        _waits.Writer.TryWrite(dueTime);
        return timer;
    }
}
