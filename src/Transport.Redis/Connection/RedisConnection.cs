using System.Diagnostics.CodeAnalysis;
using System.Threading.Channels;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace ServiceMesh.Redis;

/// <summary>
/// The connection to Redis: made within a bounded time, watched for gaps, and repaired by one loop. A gap is over when
/// Redis answers on both of the client's connections and has acknowledged every subscription again. Thread-safe.
/// </summary>
[SuppressMessage("Design", "CA1001", Justification = "CloseAsync ends the loop and disposes what it waits on.")]
internal sealed class RedisConnection(RedisTransportOptions options, GapWatch gaps)
{
    // The client raises an event when it has reconnected; this is for an event that never comes.
    private static readonly TimeSpan s_betweenRepairs = TimeSpan.FromSeconds(1);

    private readonly CancellationTokenSource _closing = new();

    // Holds one mark at most: that there is something to look at.
    private readonly Channel<bool> _changes = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });

    private TransportContext _context = null!;
    private ILogger _logger = null!;
    private Func<CancellationToken, Task> _restore = null!;
    private Task _loop = Task.CompletedTask;
    private volatile IConnectionMultiplexer? _multiplexer;
    private volatile IDatabase? _database;

    // Counts breaks: what was restored for an older number is not in force.
    private int _breaks;
    private int _restoredBreaks;

    /// <summary>The connection for commands.</summary>
    /// <exception cref="TransportException">There has not been a connection yet.</exception>
    public IDatabase Database => _database ?? throw new TransportException($"Redis is not connected yet: {gaps.Current?.Reason}");

    /// <summary>The connection for publish and subscribe.</summary>
    /// <exception cref="TransportException">There has not been a connection yet.</exception>
    public ISubscriber Subscriber => _multiplexer?.GetSubscriber() ?? throw new TransportException($"Redis is not connected yet: {gaps.Current?.Reason}");

    /// <summary>Every server that the client knows: one, or those of a cluster.</summary>
    public IEnumerable<IServer> Servers => _multiplexer is { } multiplexer
        ? multiplexer.GetEndPoints(false).Select(endpoint => multiplexer.GetServer(endpoint, null))
        : [];

    /// <summary>True when the servers form a cluster, where the receiver count of PUBLISH is that of one of them.</summary>
    public bool IsCluster { get; private set; }

    /// <summary>False while messages cannot be sent, or their replies could not be heard.</summary>
    public bool IsUp => gaps.Current is null || Volatile.Read(ref _restoredBreaks) == Volatile.Read(ref _breaks);

    public TransportHealth Health => gaps.Current is { } gap
        ? new(IsUp ? TransportState.Degraded : TransportState.Unavailable, $"the connection to Redis is away since {gap.From:O}: {gap.Reason}")
        : TransportHealth.Healthy;

    /// <summary>Connects, or begins to try when that is configured.</summary>
    /// <param name="context">Who the node is.</param>
    /// <param name="restore">Puts every subscription in force again; called at the end of each gap.</param>
    /// <param name="cancellationToken">Stops waiting.</param>
    /// <exception cref="TransportException">Redis cannot be reached or refuses; the message says which.</exception>
    public async Task OpenAsync(TransportContext context, Func<CancellationToken, Task> restore, CancellationToken cancellationToken)
    {
        (_context, _restore) = (context, restore);
        _logger = context.LoggerFactory.CreateLogger("ServiceMesh.Redis");
        try
        {
            await ConnectAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (TransportException failure) when (options.KeepTrying)
        {
            RedisLog.StartedWithoutRedis(_logger, failure.Message);
            Broke(failure.Message, deaf: true);
        }

        _loop = RepairAsync();
    }

    public async Task CloseAsync()
    {
        await _closing.CancelAsync().ConfigureAwait(false);
        await _loop.ConfigureAwait(false);
        if (_multiplexer is { } multiplexer)
        {
            multiplexer.ConnectionFailed -= OnFailed;
            multiplexer.ConnectionRestored -= OnRestored;
            if (options.Connect is null)
            {
                await multiplexer.CloseAsync(true).ConfigureAwait(false);
            }
        }

        _closing.Dispose();
    }

    private async Task ConnectAsync(CancellationToken cancellationToken)
    {
        var multiplexer = await Connecting.OpenAsync(options, _context, cancellationToken).ConfigureAwait(false);
        IsCluster = Connecting.Check(multiplexer);
        multiplexer.ConnectionFailed += OnFailed;
        multiplexer.ConnectionRestored += OnRestored;
        (_multiplexer, _database) = (multiplexer, multiplexer.GetDatabase(-1, null));
    }

    private void OnFailed(object? sender, ConnectionFailedEventArgs failure) =>
        Broke($"{failure.FailureType} at {failure.EndPoint}.", deaf: failure.ConnectionType == ConnectionType.Subscription);

    private void OnRestored(object? sender, ConnectionFailedEventArgs restored) => _changes.Writer.TryWrite(true);

    private void Broke(string reason, bool deaf)
    {
        if (!_closing.IsCancellationRequested)
        {
            Interlocked.Increment(ref _breaks);
            gaps.Begin(reason, deaf);
            _changes.Writer.TryWrite(true);
        }
    }

    private async Task RepairAsync()
    {
        try
        {
            await foreach (var _ in _changes.Reader.ReadAllAsync(_closing.Token).ConfigureAwait(false))
            {
                while (gaps.Current is not null && !await TryRepairAsync().ConfigureAwait(false))
                {
                    await ChangeOrPauseAsync().ConfigureAwait(false);
                }
            }
        }
        catch (OperationCanceledException)
        {
            // The end of the loop, as asked.
        }
    }

    // True when the gap is over. What breaks in the middle is tried again from the start.
    private async Task<bool> TryRepairAsync()
    {
        try
        {
            if (_multiplexer is null)
            {
                await ConnectAsync(_closing.Token).ConfigureAwait(false);
            }

            var breaks = Volatile.Read(ref _breaks);
            if (breaks != Volatile.Read(ref _restoredBreaks))
            {
                await PingAndRestoreAsync().WaitAsync(options.ConnectTimeout, _context.Clock, _closing.Token).ConfigureAwait(false);
                Volatile.Write(ref _restoredBreaks, breaks);
            }

            // Of a cluster some may still be away: messages move, and health says what is missing.
            return Servers.All(server => server.IsConnected) && gaps.TryEnd(() => breaks == Volatile.Read(ref _breaks));
        }
        catch (Exception failure) when (failure is RedisException or TimeoutException or ObjectDisposedException or TransportException)
        {
            RedisLog.StillAway(_logger, failure.Message);
            return false;
        }
    }

    private async Task PingAndRestoreAsync()
    {
        await Task.WhenAll(Subscriber.PingAsync(CommandFlags.None), Database.PingAsync(CommandFlags.None)).ConfigureAwait(false);
        await _restore(_closing.Token).ConfigureAwait(false);
    }

    private async Task ChangeOrPauseAsync()
    {
        using var pause = CancellationTokenSource.CreateLinkedTokenSource(_closing.Token);
        await Task.WhenAny(
            _changes.Reader.WaitToReadAsync(pause.Token).AsTask(),
            Task.Delay(s_betweenRepairs, _context.Clock, pause.Token)).ConfigureAwait(false);
        await pause.CancelAsync().ConfigureAwait(false);
        _closing.Token.ThrowIfCancellationRequested();
        _changes.Reader.TryRead(out var _);
    }
}
