using System.Diagnostics.CodeAnalysis;
using StackExchange.Redis;
using EndPoint = System.Net.EndPoint;

namespace ServiceMesh.Redis;

/// <summary>
/// Asks the Sentinels now and then whether the master is still the one that this node uses: one that an operator replaces lives on and
/// says nothing. Used by one loop at a time.
/// </summary>
/// <param name="settings">Those of the application, with the Sentinels as the servers.</param>
/// <param name="key">The key of the configuration that says where they are.</param>
/// <param name="context">Of the bus.</param>
[SuppressMessage("Design", "CA1001", Justification = "CloseAsync ends and disposes all of it.")]
internal sealed class SentinelWatch(ConfigurationOptions settings, string key, TransportContext context)
{
    private static readonly TimeSpan s_between = TimeSpan.FromSeconds(1);

    private readonly CancellationTokenSource _closing = new();
    private ConnectionMultiplexer? _sentinels;
    private Task _asking = Task.CompletedTask;
    private long _askedAt;

    /// <summary>To be called some times a second. Asks once a second, and never waits.</summary>
    /// <param name="used">The master that this node uses.</param>
    /// <param name="onChange">Is told of another one that the Sentinels name.</param>
    public void Look(EndPoint used, Action<EndPoint> onChange)
    {
        var now = context.Clock.GetTimestamp();
        if (_asking.IsCompleted && (_askedAt == 0 || context.Clock.GetElapsedTime(_askedAt, now) >= s_between))
        {
            _askedAt = now;
            _asking = AskAsync(used, onChange);
        }
    }

    public async Task CloseAsync()
    {
        await _closing.CancelAsync().ConfigureAwait(false);
        await _asking.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing); // whatever it was, the client is let go
        await ForgetAsync().ConfigureAwait(false);
        _closing.Dispose();
    }

    private async Task AskAsync(EndPoint used, Action<EndPoint> onChange)
    {
        try
        {
            _sentinels ??= await Sentinels.ConnectAsync(settings, context, _closing.Token).ConfigureAwait(false);
            if (await Sentinels.AskAsync(_sentinels, settings, key, context, _closing.Token).ConfigureAwait(false) is { } named
                && !named.Equals(used))
            {
                onChange(named);
            }
        }
        catch (Exception failure) when (RedisConnection.IsOfRedis(failure) || failure is OperationCanceledException)
        {
            await ForgetAsync().ConfigureAwait(false); // the next question connects anew
        }
    }

    private async Task ForgetAsync()
    {
        if (Interlocked.Exchange(ref _sentinels, null) is { } sentinels)
        {
            await sentinels.DisposeAsync().ConfigureAwait(false);
        }
    }
}
