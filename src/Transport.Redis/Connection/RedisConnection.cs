using System.Diagnostics.CodeAnalysis;
using System.Threading.Channels;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace ServiceMesh.Redis;

/// <summary>
/// The connection to Redis: made within a bounded time, watched for gaps, and repaired by one loop. A gap is over when
/// Redis answers on both of the client's connections and, when the one that hears was away, has acknowledged every
/// subscription again. Thread-safe.
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
    private volatile ISubscriber? _subscriber;

    // Counts breaks, and among them those after which this node heard nothing.
    private int _breaks;
    private int _deafBreaks;
    private int _restoredDeafBreaks;

    /// <summary>The connection for commands.</summary>
    /// <exception cref="TransportException">There has not been a connection yet.</exception>
    public IDatabase Database => _database ?? throw new TransportException($"Redis is not connected yet: {gaps.Current?.Reason}");

    /// <summary>The connection for publish and subscribe.</summary>
    /// <exception cref="TransportException">There has not been a connection yet.</exception>
    public ISubscriber Subscriber => _subscriber ?? throw new TransportException($"Redis is not connected yet: {gaps.Current?.Reason}");

    /// <summary>Every server that the client knows: one, or those of a cluster.</summary>
    public IEnumerable<IServer> Servers => _multiplexer is { } multiplexer
        ? multiplexer.GetEndPoints(false).Select(endpoint => multiplexer.GetServer(endpoint, null))
        : [];

    /// <summary>True when the servers form a cluster: messages of one channel must go one way.</summary>
    public bool IsCluster { get; private set; }

    /// <summary>True when the receiver count of PUBLISH is that of all: there is one server. Each counts its own connections only.</summary>
    public bool PublishCountsAll { get; private set; } = true;

    /// <summary>True once there has been a connection, whether or not it is away now.</summary>
    public bool WasConnected => _database is not null;

    /// <summary>False while messages cannot be sent, or their replies could not be heard.</summary>
    public bool IsUp => gaps.Current is null;

    public TransportHealth Health => gaps.Current is { } gap
        ? new(
            WasConnected ? TransportState.Degraded : TransportState.Unavailable,
            $"the connection to Redis is away since {gap.From:O}: {gap.Reason}")
        : PublishCountsAll || Servers.Where(server => !server.IsConnected).Select(server => $"{server.EndPoint}").ToArray() is not { Length: > 0 } absent
            ? TransportHealth.Healthy
            : new(TransportState.Degraded, $"not connected to {string.Join(", ", absent)}"); // of several, and what is left moves messages

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
            await LetGoAsync(multiplexer).ConfigureAwait(false);
        }

        _closing.Dispose();
    }

    private async Task ConnectAsync(CancellationToken cancellationToken)
    {
        var multiplexer = await Connecting.OpenAsync(options, _context, cancellationToken).ConfigureAwait(false);
        try
        {
            IsCluster = Connecting.Check(multiplexer);
            PublishCountsAll = multiplexer.GetEndPoints(false).Length == 1 && !IsCluster;
        }
        catch
        {
            await LetGoAsync(multiplexer).ConfigureAwait(false);
            throw;
        }

        multiplexer.ConnectionFailed += OnFailed;
        multiplexer.ConnectionRestored += OnRestored;
        (_multiplexer, _subscriber, _database) = (multiplexer, multiplexer.GetSubscriber(null), multiplexer.GetDatabase(-1, null));
    }

    // One that was handed in is the application's to close.
    private Task LetGoAsync(IConnectionMultiplexer multiplexer) => options.Connect is null ? multiplexer.CloseAsync(false) : Task.CompletedTask;

    private void OnFailed(object? sender, ConnectionFailedEventArgs failure) =>
        Broke($"{failure.FailureType} at {failure.EndPoint}.", deaf: failure.ConnectionType == ConnectionType.Subscription);

    private void OnRestored(object? sender, ConnectionFailedEventArgs restored) => _changes.Writer.TryWrite(true);

    private void Broke(string reason, bool deaf)
    {
        if (!_closing.IsCancellationRequested)
        {
            Interlocked.Increment(ref _breaks);
            if (deaf)
            {
                Interlocked.Increment(ref _deafBreaks);
            }

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
        catch (OperationCanceledException) when (_closing.IsCancellationRequested)
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

            var (breaks, deafBreaks) = (Volatile.Read(ref _breaks), Volatile.Read(ref _deafBreaks));
            await Task.WhenAll(Subscriber.PingAsync(CommandFlags.None), Database.PingAsync(CommandFlags.None))
                .WaitAsync(options.ConnectTimeout, _context.Clock, _closing.Token).ConfigureAwait(false);
            if (deafBreaks != _restoredDeafBreaks)
            {
                // Without a limit: it takes as long as Redis needs, and ends with the connection at the latest.
                await _restore(_closing.Token).ConfigureAwait(false);
                _restoredDeafBreaks = deafBreaks;
            }

            return gaps.TryEnd(() => breaks == Volatile.Read(ref _breaks));
        }
        catch (Exception failure) when (!_closing.IsCancellationRequested)
        {
            // Whatever it was, trying again is all that can be done; the factory of a handed-in connection may throw anything.
            RedisLog.StillAway(_logger, failure.Message);
            return false;
        }
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
