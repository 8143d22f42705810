using System.Diagnostics.CodeAnalysis;
using System.Threading.Channels;
using Microsoft.Extensions.Logging;
using ServiceMesh.Links;
using StackExchange.Redis;

namespace ServiceMesh.Redis;

/// <summary>What rides on a connection and has to be put in force again when the connection was replaced.</summary>
internal interface IConnectionUser
{
    /// <summary>Subscribes to everything on the current connection.</summary>
    Task RestoreAsync(CancellationToken cancellationToken);

    /// <summary>
    /// Publishes a message to this node itself. When it arrives, <see cref="RedisConnection.Heard"/> is called
    /// with its number.
    /// </summary>
    Task BeatAsync(long number);

    /// <summary>The node may not hear: what waits for an answer may wait in vain. Called at once; must be quick.</summary>
    void OnGap(string reason);

    /// <summary>The gap is over.</summary>
    void OnWhole();
}

/// <summary>
/// The connection to Redis: made within a bounded time, watched, and replaced rather than trusted. It counts as whole while the
/// node hears the beats that it sends to itself; after a failure or in silence there is a gap, which ends when a new connection
/// has every subscription and a message to oneself has come back on it. Thread-safe.
/// </summary>
[SuppressMessage("Design", "CA1001", Justification = "CloseAsync ends the loop and disposes what it waits on.")]
internal sealed class RedisConnection(RedisTransportOptions options, GapWatch gaps)
{
    private static readonly TimeSpan s_interval = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan s_betweenBeats = TimeSpan.FromSeconds(1);

    // With the beat of a second and the interval above, silence is noticed within five seconds.
    private static readonly TimeSpan s_silence = TimeSpan.FromMilliseconds(3_500);
    private static readonly TimeSpan s_verification = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan s_firstPause = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan s_longestPause = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan s_restoration = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan s_closing = TimeSpan.FromSeconds(3);
    private static readonly TimeSpan s_betweenLooks = TimeSpan.FromSeconds(1);

    private readonly CancellationTokenSource _closing = new();

    // Holds one mark at most: that there is something to look at.
    private readonly Channel<bool> _changes =
        Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });

    private TransportContext _context = null!;
    private ILogger _logger = null!;
    private IConnectionUser _user = null!;
    private BeatMonitor _monitor = null!;
    private Task _loop = Task.CompletedTask;
    private volatile ConnectedClient? _client;
    private volatile MasterBeats? _masters;
    private SentinelWatch? _sentinels;
    private volatile TaskCompletionSource? _heard;
    private volatile string? _refusal;
    private long _refusedAt;
    private long _lastBeat;
    private long _lastLook;
    private int _breaks;

    /// <summary>What is used now; null before the first connection.</summary>
    public ConnectedClient? Client => _client;

    /// <summary>The connection for commands.</summary>
    /// <exception cref="TransportException">There has not been a connection yet.</exception>
    public IDatabase Database => Connected.Database;

    /// <summary>The connection for publish and subscribe.</summary>
    /// <exception cref="TransportException">There has not been a connection yet.</exception>
    public ISubscriber Subscriber => Connected.Subscriber;

    /// <summary>Every server that the client knows: one, or those of a cluster.</summary>
    public IEnumerable<IServer> Servers => _client?.Multiplexer.GetServers() ?? [];

    /// <summary>True when the servers form a cluster: messages of one channel must go one way.</summary>
    public bool IsCluster => _client is { IsCluster: true };

    /// <summary>
    /// True when the receiver count of PUBLISH is that of all: there is one server. Each counts its own
    /// connections only.
    /// </summary>
    public bool PublishCountsAll => _client is not { PublishCountsAll: false };

    /// <summary>True once there has been a connection, whether or not it is away now.</summary>
    public bool WasConnected => _client is not null;

    /// <summary>False while messages cannot be sent, or their replies could not be heard.</summary>
    public bool IsUp => gaps.Current is null && _client is not null;

    /// <summary>False while this node does not know whether it hears: then the silence of others proves nothing.</summary>
    public bool Hears => IsUp && _monitor.State == BeatState.Hearing && _monitor.Silence < 2 * s_betweenBeats;

    /// <summary>Why <see cref="IsUp"/> is false, for those who wanted to send.</summary>
    public string Absence => $"Redis is not connected: {gaps.Current?.Reason ?? "the bus has not started or has stopped."}";

    public TransportHealth Health
    {
        get
        {
            if (gaps.Current is { } gap)
            {
                return new(
                    WasConnected ? TransportState.Degraded : TransportState.Unavailable,
                    $"the connection to Redis is away since {gap.From:O}: {gap.Reason}");
            }

            if (_refusal is { } refusal && _context.Clock.GetElapsedTime(Volatile.Read(ref _refusedAt)) < TimeSpan.FromSeconds(10))
            {
                return new(TransportState.Degraded, $"Redis refuses commands: {refusal}");
            }

            // Of several, what is left moves messages.
            return PublishCountsAll
                || Servers.Where(server => !server.IsConnected).Select(server => $"{server.EndPoint}").ToArray()
                    is not { Length: > 0 } absent
                ? TransportHealth.Healthy
                : new(TransportState.Degraded, $"not connected to {string.Join(", ", absent)}");
        }
    }

    private ConnectedClient Connected => _client ?? throw new TransportException($"Redis is not connected yet: {gaps.Current?.Reason}");

    /// <summary>
    /// Connects, or begins to try when that is configured. Then <paramref name="user"/>
    /// subscribes and calls <see cref="VerifyAsync"/>.
    /// </summary>
    /// <exception cref="TransportException">Redis cannot be reached or refuses; the message says which.</exception>
    public async Task OpenAsync(TransportContext context, IConnectionUser user, CancellationToken cancellationToken)
    {
        (_context, _user) = (context, user);
        _logger = context.LoggerFactory.CreateLogger("ServiceMesh.Redis");
        _monitor = new(s_silence, s_interval, context.Clock);
        _sentinels = Connecting.IsSentinel(options)
            ? new(Connecting.SettingsOf(options, context), options.KeyOfServers(context), context)
            : null;
        try
        {
            await ReplaceAsync(cancellationToken).ConfigureAwait(false);
            await Rights.CheckAsync(Connected, options, context, cancellationToken).ConfigureAwait(false);
        }
        catch (TransportException failure) when (options.KeepTrying)
        {
            RedisLog.StartedWithoutRedis(_logger, failure.Message);
            Break(failure.Message);
        }
    }

    /// <summary>Proves that this node hears what it sends, and begins to watch.</summary>
    /// <exception cref="TransportException">Redis takes what is published, and does not deliver it.</exception>
    public async Task WatchAsync(CancellationToken cancellationToken)
    {
        if (gaps.Current is null && !await VerifyAsync(cancellationToken).ConfigureAwait(false))
        {
            const string Deaf =
                "A message that this node published for itself did not come back. "
                + "May its user PUBLISH and SUBSCRIBE on the mesh's channels?";
            if (!options.KeepTrying)
            {
                throw new TransportException($"{Deaf} ({options.KeyOfServers(_context)})");
            }

            Break(Deaf);
        }

        _loop = RunAsync();
    }

    public async Task CloseAsync()
    {
        await _closing.CancelAsync().ConfigureAwait(false);
        await _loop.ConfigureAwait(false);
        await (_sentinels?.CloseAsync() ?? Task.CompletedTask).ConfigureAwait(false);
        if (_masters is { } masters && options.Connect is not null)
        {
            await masters.CloseAsync().ConfigureAwait(false);
        }

        if (_client is { } client)
        {
            await LetGoAsync(client).ConfigureAwait(false);
        }

        _closing.Dispose();
    }

    /// <summary>A message that this node sent to itself arrived.</summary>
    public void Heard(long number)
    {
        if (_monitor.Hear(number))
        {
            _heard?.TrySetResult();
        }
    }

    /// <summary>Redis refused a command. It shows in health until commands have succeeded for ten seconds.</summary>
    public void Refused(string reason)
    {
        Volatile.Write(ref _refusedAt, _context.Clock.GetTimestamp());
        _refusal = reason;
        if (reason.StartsWith("MOVED", StringComparison.Ordinal)
            || reason.StartsWith("CLUSTERDOWN", StringComparison.Ordinal)
            || reason.StartsWith("READONLY", StringComparison.Ordinal))
        {
            LookAtTopology();
        }
    }

    /// <summary>There is a gap from now on, unless there is one already.</summary>
    public void Break(string reason)
    {
        if (_closing.IsCancellationRequested)
        {
            return;
        }

        Interlocked.Increment(ref _breaks);
        _monitor.Break();
        gaps.Begin(reason);
        _user.OnGap(reason);
        _changes.Writer.TryWrite(true);
    }

    private async Task ReplaceAsync(CancellationToken cancellationToken)
    {
        var multiplexer = await Connecting.OpenAsync(options, _context, cancellationToken).ConfigureAwait(false);
        var (old, oldMasters) = (_client, _masters);
        ConnectedClient client;
        try
        {
            client = await Connecting.CheckAsync(multiplexer, options, _context, old is null, cancellationToken).ConfigureAwait(false);
        }
        catch
        {
            await CloseQuietlyAsync(multiplexer).ConfigureAwait(false);
            throw;
        }

        if (old is not null)
        {
            old.Multiplexer.ConnectionFailed -= OnFailed;
            _ = oldMasters is null || options.Connect is null ? Task.CompletedTask : oldMasters.CloseAsync();
            _ = old.Multiplexer == multiplexer ? Task.CompletedTask : LetGoAsync(old);
        }

        multiplexer.ConnectionFailed += OnFailed;
        _client = client;
        _masters = client.IsCluster ? new(client, $"{options.KeyPrefix}:beat:{_context.NodeId}", _context.Clock) : null;
        _monitor.Replaced();
    }

    // One that was handed in is the application's to close.
    private Task LetGoAsync(ConnectedClient client)
    {
        client.Multiplexer.ConnectionFailed -= OnFailed;
        return CloseQuietlyAsync(client.Multiplexer);
    }

    private async Task CloseQuietlyAsync(IConnectionMultiplexer multiplexer)
    {
        if (options.Connect is not null)
        {
            return;
        }

        try
        {
            await multiplexer.CloseAsync(false).WaitAsync(s_closing, TimeProvider.System).ConfigureAwait(false);
        }
        catch (Exception failure) when (IsOfRedis(failure))
        {
            // What is left of it ends with its sockets.
        }

        multiplexer.Dispose();
    }

    private void OnFailed(object? sender, ConnectionFailedEventArgs failure)
    {
        if (!ReferenceEquals(sender, _client?.Multiplexer))
        {
            return;
        }

        var reason = $"{failure.FailureType} at {failure.EndPoint}.";
        if (IsCluster || (failure.ConnectionType == ConnectionType.Interactive && _client is { HearsOnItsOwn: true }))
        {
            // It may be a connection that this node does not hear through: a message to oneself tells.
            LookAtTopology();
            _ = VerifyOrBreakAsync(reason);
        }
        else
        {
            Break(reason);
        }
    }

    private void LookAtTopology()
    {
        var now = _context.Clock.GetTimestamp();
        var last = Interlocked.Read(ref _lastLook);
        if ((last == 0 || _context.Clock.GetElapsedTime(last, now) >= s_betweenLooks)
            && Interlocked.CompareExchange(ref _lastLook, now, last) == last)
        {
            _ = LookAsync();
        }
    }

    private async Task LookAsync()
    {
        if (_client is not { } client)
        {
            return;
        }

        try
        {
            await client.Multiplexer.ConfigureAsync().WaitAsync(s_closing, _context.Clock).ConfigureAwait(false);
        }
        catch (Exception failure) when (IsOfRedis(failure))
        {
            RedisLog.StillAway(_logger, Printable.Line(failure.Message));
            return;
        }

        // The client publishes to the new master and goes on hearing from the old one: what is sent would not be heard.
        if (client.IsCluster || client != _client || client.MastersNow is not { } now || now == client.Masters)
        {
            return;
        }

        if (now.Length > 0)
        {
            Break($"The master has changed to {now}.");
        }
        else if (Connecting.IsSentinel(options))
        {
            Break($"{client.Masters} is the master no longer."); // the Sentinels know the new one
        }
    }

    private async Task VerifyOrBreakAsync(string reason)
    {
        try
        {
            if (gaps.Current is null && !await VerifyAsync(_closing.Token).ConfigureAwait(false))
            {
                Break(reason);
            }
        }
        catch (OperationCanceledException)
        {
            // The bus stops.
        }
    }

    // True when a message that is sent now comes back in time.
    private async Task<bool> VerifyAsync(CancellationToken cancellationToken)
    {
        var heard = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        if (_monitor.State == BeatState.Hearing)
        {
            _monitor.Replaced();
        }

        _heard = heard;
        using var limit = new CancellationTokenSource(s_verification, _context.Clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        while (!limit.IsCancellationRequested)
        {
            try
            {
                await _user.BeatAsync(_monitor.NextBeat()).WaitAsync(s_verification, _context.Clock, either.Token).ConfigureAwait(false);
                await heard.Task.WaitAsync(either.Token).ConfigureAwait(false);
                return true;
            }
            catch (Exception failure) when (IsOfRedis(failure))
            {
                // The client may be about to connect again by itself.
                await Task.WhenAny(heard.Task, Task.Delay(s_firstPause, _context.Clock, either.Token)).ConfigureAwait(false);
            }
            catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
            {
                break;
            }
        }

        cancellationToken.ThrowIfCancellationRequested();
        return false;
    }

    private async Task RunAsync()
    {
        var pause = s_firstPause;
        try
        {
            while (true)
            {
                await ChangeOrPauseAsync(gaps.Current is null ? s_interval : pause).ConfigureAwait(false);
                if (gaps.Current is null)
                {
                    Watch();
                }

                if (gaps.Current is null)
                {
                    pause = s_firstPause;
                }
                else if (await TryRepairAsync().ConfigureAwait(false))
                {
                    _refusal = null; // of the connection of before
                    _user.OnWhole();
                }
                else
                {
                    pause = pause + pause < s_longestPause ? pause + pause : s_longestPause;
                }
            }
        }
        catch (OperationCanceledException) when (_closing.IsCancellationRequested)
        {
            // The end of the loop, as asked.
        }
    }

    [SuppressMessage("Design", "CA1031", Justification = "Whatever the client throws, the watch goes on: a gap replaces the client.")]
    private void Watch()
    {
        try
        {
            if (_monitor.Check())
            {
                Break($"No message that this node sent to itself has come back for {s_silence.TotalSeconds} s.");
            }
            else
            {
                BeatWhenDue();
                CheckMasters();
                CheckSentinels();
            }
        }
        catch (Exception failure)
        {
            Break($"The client of Redis failed: {Printable.Line(ExceptionText.Brief(failure))}");
        }
    }

    private void BeatWhenDue()
    {
        var now = _context.Clock.GetTimestamp();
        if (_lastBeat == 0 || _context.Clock.GetElapsedTime(_lastBeat, now) >= s_betweenBeats)
        {
            _lastBeat = now;
            _ = BeatAsync(_monitor.NextBeat());
            _masters?.Beat();
        }
    }

    private void CheckMasters()
    {
        if (_masters?.Check(isHearing: _monitor.Silence < 2 * s_betweenBeats, s_silence) is not { } silence)
        {
            return;
        }

        LookAtTopology(); // its slots may have moved
        if (silence.For >= s_silence)
        {
            Break($"No message that this node sent to itself through {silence.Of} has come back for {s_silence.TotalSeconds} s.");
        }
    }

    private void CheckSentinels()
    {
        if (_sentinels is not null && _client is { } client && client.Multiplexer.GetEndPoints(configuredOnly: true) is [var used])
        {
            _sentinels.Look(used, named =>
            {
                if (client == _client)
                {
                    Break($"The Sentinels have made {named} the master.");
                }
            });
        }
    }

    private async Task BeatAsync(long number)
    {
        try
        {
            await _user.BeatAsync(number).WaitAsync(s_silence, _context.Clock).ConfigureAwait(false);
        }
        catch (Exception failure) when (IsOfRedis(failure))
        {
            // The beat that does not come back tells.
        }
    }

    // True when the gap is over. What breaks in the middle is tried again from the start.
    [SuppressMessage("Design", "CA1031",
        Justification = "Whatever it was, trying again is all that can be done; the factory of a handed-in connection may throw anything.")]
    private async Task<bool> TryRepairAsync()
    {
        try
        {
            var breaks = Volatile.Read(ref _breaks);
            await ReplaceAsync(_closing.Token).ConfigureAwait(false);
            await _user.RestoreAsync(_closing.Token).WaitAsync(s_restoration, _context.Clock, _closing.Token).ConfigureAwait(false);
            return await VerifyAsync(_closing.Token).ConfigureAwait(false) && gaps.TryEnd(() => breaks == Volatile.Read(ref _breaks));
        }
        catch (Exception failure) when (!_closing.IsCancellationRequested)
        {
            RedisLog.StillAway(_logger, Printable.Line(failure.Message));
            return false;
        }
    }

    private async Task ChangeOrPauseAsync(TimeSpan time)
    {
        using var pause = CancellationTokenSource.CreateLinkedTokenSource(_closing.Token);
        await Task.WhenAny(
            _changes.Reader.WaitToReadAsync(pause.Token).AsTask(),
            Task.Delay(time, _context.Clock, pause.Token)).ConfigureAwait(false);
        await pause.CancelAsync().ConfigureAwait(false);
        _closing.Token.ThrowIfCancellationRequested();
        _changes.Reader.TryRead(out var _);
    }

    /// <summary>True for what the client throws when Redis is away or refuses.</summary>
    public static bool IsOfRedis(Exception failure) =>
        failure is RedisException or RedisCommandException or TimeoutException or ObjectDisposedException or TransportException;
}
