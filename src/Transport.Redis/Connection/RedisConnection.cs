using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace ServiceMesh.Redis;

/// <summary>
/// The connection to Redis: made within a bounded time, watched for gaps. While the subscription is away, replies and
/// messages may be lost, and whoever needs to know is told.
/// </summary>
internal sealed class RedisConnection(RedisTransportOptions options)
{
    private readonly Lock _lock = new();
    private ConnectionMultiplexer? _multiplexer;
    private TimeProvider _clock = TimeProvider.System;
    private ILogger? _logger;
    private DateTimeOffset? _gapSince;
    private string? _gapReason;
    private volatile bool _closing;

    /// <summary>Raised when the subscription breaks. Handlers must be quick.</summary>
    public event Action<string>? GapBegan;

    public IDatabase Database => _multiplexer!.GetDatabase();

    public ISubscriber Subscriber => _multiplexer!.GetSubscriber();

    public bool IsUp
    {
        get
        {
            lock (_lock)
            {
                return _multiplexer is not null && _gapSince is null && !_closing;
            }
        }
    }

    public TransportHealth Health
    {
        get
        {
            lock (_lock)
            {
                return _gapSince is { } since
                    ? new(TransportState.Degraded, $"no subscription to Redis since {since:O}: {_gapReason}")
                    : TransportHealth.Healthy;
            }
        }
    }

    /// <exception cref="TransportException">Redis cannot be reached or refuses; the message says which.</exception>
    public async Task OpenAsync(TransportContext context, CancellationToken cancellationToken)
    {
        _clock = context.Clock;
        _logger = context.LoggerFactory.CreateLogger("ServiceMesh.Redis");
        var configuration = ConfigurationOptions.Parse(options.Configuration);
        configuration.AbortOnConnectFail = true;
        configuration.ConnectTimeout = (int)Math.Min(options.ConnectTimeout.TotalMilliseconds, int.MaxValue);
        configuration.ClientName ??= context.NodeId;
        var where = string.Join(", ", configuration.EndPoints);
        try
        {
            // The client bounds each attempt and not the whole; what it makes too late is closed when it comes.
            var connecting = ConnectionMultiplexer.ConnectAsync(configuration);
            _ = connecting.ContinueWith(
                late =>
                {
                    if (!ReferenceEquals(late.Result, _multiplexer) && _multiplexer is null && _closing)
                    {
                        late.Result.Dispose();
                    }
                },
                CancellationToken.None, TaskContinuationOptions.OnlyOnRanToCompletion, TaskScheduler.Default);
            _multiplexer = await connecting.WaitAsync(options.ConnectTimeout, _clock, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        }
        catch (Exception failure) when (failure is RedisException or TimeoutException)
        {
            _closing = true;
            throw new TransportException(
                $"Redis at {where} (ServiceMesh:Redis:Configuration) could not be reached within {options.ConnectTimeout}: {failure.Message}", failure);
        }

        _multiplexer.ConnectionFailed += OnFailed;
        _multiplexer.ConnectionRestored += OnRestored;
    }

    public async Task CloseAsync()
    {
        _closing = true;
        if (_multiplexer is { } multiplexer)
        {
            await multiplexer.CloseAsync().ConfigureAwait(false);
            multiplexer.Dispose();
        }
    }

    private void OnFailed(object? sender, ConnectionFailedEventArgs failure)
    {
        if (_closing || failure.ConnectionType != ConnectionType.Subscription)
        {
            return;
        }

        lock (_lock)
        {
            _gapSince ??= _clock.GetUtcNow();
            _gapReason = $"{failure.FailureType} at {failure.EndPoint}";
        }

        GapBegan?.Invoke(_gapReason);
    }

    private async void OnRestored(object? sender, ConnectionFailedEventArgs restored)
    {
        if (_closing || restored.ConnectionType != ConnectionType.Subscription)
        {
            return;
        }

        try
        {
            // The client has sent the subscriptions again by now; an answer on the same connection says they are in force.
            await Subscriber.PingAsync().ConfigureAwait(false);
        }
        catch (Exception failure) when (failure is RedisException or TimeoutException or ObjectDisposedException)
        {
            return; // gone again: the next restoration closes the gap
        }

        lock (_lock)
        {
            if (_gapSince is { } since)
            {
                RedisLog.GapEnded(_logger!, since, _clock.GetUtcNow());
                _gapSince = null;
            }
        }
    }
}
