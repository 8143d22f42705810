using System.Diagnostics.CodeAnalysis;
using System.Diagnostics.Metrics;
using System.Runtime.CompilerServices;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace ServiceMesh.Redis;

/// <summary>
/// Requests and signals over Redis publish/subscribe. A request is one PUBLISH whose receiver count says when nobody is
/// there; the members of a group race for a claim; replies come through one subscription per node.
/// </summary>
[SuppressMessage("Design", "CA1001", Justification = "StopAsync, which every transport has, ends and disposes all of it.")]
internal sealed class RedisTransport(RedisTransportOptions options, int queueCapacity, RedisGaps gaps, IMeterFactory meters) : ITransport
{
    private static readonly TransportCapabilities s_capabilities = new()
    {
        System = "redis",
        Features = TransportFeatures.Patterns | TransportFeatures.SignalGroups | TransportFeatures.Cancellation
            | TransportFeatures.RequestsReachEveryGroup | (ClientKeepsOrder ? TransportFeatures.OrderedDelivery : TransportFeatures.None),
        ReceiverCount = ReceiverCount.Deliveries,
        ReleasesTokens = true,
        MaxBodyBytes = 500 * 1024 * 1024, // Redis takes values of 512 MiB
    };

    // Each server counts its own connections only.
    private static readonly TransportCapabilities s_withSeveralServers = s_capabilities with { ReceiverCount = ReceiverCount.Unknown };

    private readonly IRedisWire _wire = options.Wire == RedisWire.Gilmour ? new GilmourWire() : new NativeWire(options.KeyPrefix);
    private readonly PendingReplies _pending = new();
    private readonly RedisErrorQueue _errors =
        new(options.Wire == RedisWire.Gilmour ? new GilmourReports() : new NativeReports(options.KeyPrefix), queueCapacity);
    private TransportContext _context = null!;
    private RedisConnection? _connection;
    private Publisher _publisher = null!;
    private Publications<PendingReply> _requests = null!;
    private Presence _presence = null!;
    private GilmourHealth? _gilmour;
    private Channels _channels = null!;
    private Receivers _receivers = null!;
    private ReplyInbox _inbox = null!;
    private Deliverer _deliverer = null!;

    public TransportCapabilities Capabilities => _connection is { PublishCountsAll: false } ? s_withSeveralServers : s_capabilities;

    public string Server => options.Servers;

    public TransportHealth Health => _connection?.Health ?? TransportHealth.Healthy;

    public IErrorQueue ErrorQueue => _errors;

    /// <summary>The requests of this node that wait for their reply.</summary>
    public int Waiting => _pending.Count;

    // From version 2 on the client calls subscribers concurrently, and the ordered way there does not exist in version 1.
    private static bool ClientKeepsOrder => typeof(ConnectionMultiplexer).Assembly.GetName().Version is { Major: < 2 };

    public async Task StartAsync(TransportContext context, CancellationToken cancellationToken)
    {
        var logger = context.LoggerFactory.CreateLogger("ServiceMesh.Redis");
        var watch = new GapWatch(gaps, meters, context.Clock, logger) { OnDeaf = reason => OnDeaf(reason, logger) };
        _context = context;
        _connection = new(options, watch);
        _publisher = new(_connection, context);
        var claims = new Claims(_connection, _wire, context.NodeId);
        _presence = new(_connection, context, options.KeyPrefix);
        _receivers = new(_connection, _wire, _presence, logger);
        _inbox = new(context, _wire, _pending, claims, _receivers, logger);

        // Tells a request what became of its publication. Nothing there is the application's code, so any thread will do.
        _requests = new(_connection, _inbox.Published, static (waiting, failure) => waiting.TryEnd(ReplyMessage.Failure(StatusCode.Unavailable, failure.Message)));
        _deliverer = new(context, _wire, claims, _publisher);
        _channels = new(_connection, _wire, subscription => new(subscription, context, _wire, claims, _deliverer), logger);
        _gilmour = _wire is GilmourWire gilmour ? new(gilmour, _connection, _channels, _publisher, context) : null;
        _errors.Open(_connection, context);

        try
        {
            await Pool.ReturnAsync(ConnectAsync(cancellationToken)).ConfigureAwait(false);
        }
        catch
        {
            await StopAsync(CancellationToken.None).ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>From here on PUBLISH does not count this node any more, so others get the messages.</summary>
    public Task DrainAsync(CancellationToken cancellationToken) => Pool.ReturnAsync(LeaveAsync(cancellationToken));

    public async Task StopAsync(CancellationToken cancellationToken)
    {
        _pending.EndAll("The bus stopped before the reply came. Whether a handler ran is not known.");
        try
        {
            // First, because a connection that was handed in outlives the bus. Without Redis each of these may take its time.
            await _channels.ClearAsync(cancellationToken).ConfigureAwait(false);
            if (_gilmour is not null)
            {
                await _gilmour.DisposeAsync().AsTask().WaitAsync(cancellationToken).ConfigureAwait(false);
            }

            await _presence.DisposeAsync().AsTask().WaitAsync(cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            await Pool.ReturnAsync(_connection!.CloseAsync()).ConfigureAwait(false);
            _channels.Dispose();
        }
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public async ValueTask<ReplyMessage> RequestAsync(Message request, CancellationToken cancellationToken)
    {
        if (_wire.Complain(request) is { } complaint)
        {
            return ReplyMessage.Failure(StatusCode.BadRequest, complaint, notProcessed: true);
        }

        // Waits before it asks: the reply may be here before PUBLISH has returned, and whoever sees a gap begin ends all
        // that wait. So a request is either ended there or sees the gap here.
        var waiting = _pending.Add(request);
        try
        {
            if (!_connection!.IsUp)
            {
                return ReplyMessage.Failure(StatusCode.Unavailable, $"Redis is not connected: {Health.Reason}", notProcessed: true);
            }

            using var registration = cancellationToken.UnsafeRegister(static (p, token) => ((PendingReply)p!).TryCancel(token), waiting);
            _requests.Publish(_wire.RequestChannel(request.Topic), _wire.Write(request), waiting);
            return await waiting.Reply.ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            _publisher.PublishOrReport(_wire.NoticeChannel, _wire.Write(Notice.Cancel(request.Id)), request.Topic.ToString());
            throw;
        }
        finally
        {
            _pending.Remove(request.Id.Number);
        }
    }

    public async ValueTask<SignalResult> SignalAsync(Message signal, CancellationToken cancellationToken)
    {
        if (!_connection!.IsUp)
        {
            throw new TransportException($"Redis is not connected: {Health.Reason}");
        }

        if (_wire.Complain(signal) is { } complaint)
        {
            throw new TransportException(complaint);
        }

        var publishing = _publisher.PublishAsync(_wire.SignalChannel(TopicPattern.From(signal.Topic)), _wire.Write(signal));
        var receivers = await Pool.ReturnAsync(publishing.WaitAsync(cancellationToken)).ConfigureAwait(false);
        return new(_connection.PublishCountsAll ? (int)receivers : null);
    }

    public Task<IReadOnlyList<NodeInfo>> ListNodesAsync(CancellationToken cancellationToken) => Pool.ReturnAsync(ListAsync(cancellationToken));

    public Task SubscribeAsync(IReadOnlyCollection<Subscription> subscriptions, CancellationToken cancellationToken) =>
        Pool.ReturnAsync(AddAsync(subscriptions, cancellationToken));

    public Task UnsubscribeAsync(Subscription subscription, CancellationToken cancellationToken) =>
        Pool.ReturnAsync(RemoveAsync(subscription, cancellationToken));

    private async Task ConnectAsync(CancellationToken cancellationToken)
    {
        await _connection!.OpenAsync(_context, RestoreAsync, cancellationToken).ConfigureAwait(false);
        await _channels.HearAsync(_wire.ReplySubscription(_context.NodeId), _inbox.Hear, cancellationToken).ConfigureAwait(false);
        await _channels.HearAsync(_wire.NoticeChannel, OnNotice, cancellationToken).ConfigureAwait(false);
        await _presence.StartAsync().ConfigureAwait(false);
        await (_gilmour?.StartAsync(cancellationToken) ?? Task.CompletedTask).ConfigureAwait(false);
    }

    private async Task AddAsync(IReadOnlyCollection<Subscription> subscriptions, CancellationToken cancellationToken)
    {
        await _channels.AddAsync(subscriptions, cancellationToken).ConfigureAwait(false);
        await _presence.TryAnnounceAsync().ConfigureAwait(false);
    }

    private async Task RemoveAsync(Subscription subscription, CancellationToken cancellationToken)
    {
        if (await _channels.RemoveAsync(subscription, cancellationToken).ConfigureAwait(false))
        {
            await DepartAsync([subscription]).ConfigureAwait(false);
        }
    }

    private async Task LeaveAsync(CancellationToken cancellationToken) =>
        await DepartAsync(await _channels.RemoveAllAsync(cancellationToken).ConfigureAwait(false)).ConfigureAwait(false);

    private async Task<IReadOnlyList<NodeInfo>> ListAsync(CancellationToken cancellationToken)
    {
        try
        {
            var ours = await _presence.ListAsync().WaitAsync(cancellationToken).ConfigureAwait(false);
            return _gilmour is null ? ours : [.. ours, .. await _gilmour.ListAsync(ours, RequestAsync, cancellationToken).ConfigureAwait(false)];
        }
        catch (Exception failure) when (failure is RedisException or TimeoutException)
        {
            throw new TransportException($"Redis did not say which nodes there are: {failure.Message}", failure);
        }
    }

    private async Task DepartAsync(IReadOnlyList<Subscription> subscriptions)
    {
        if (subscriptions.Count == 0 || !_connection!.IsUp)
        {
            return;
        }

        try
        {
            await _publisher.PublishAsync(_wire.NoticeChannel, _wire.Write(Notice.Depart(subscriptions))).ConfigureAwait(false);
        }
        catch (TransportException failure)
        {
            _context.ReportLoss("not-published", "departure", failure.Message, StatusCode.Unavailable);
        }
    }

    private void OnNotice(RedisChannel channel, RedisValue value)
    {
        byte[]? frame = value;
        if (RedisTransportOptions.Exceeds(frame!.Length, _context.MaxBodyBytes) || !_wire.TryReadNotice(frame, out var notice))
        {
            _context.ReportLoss("malformed-frame", channel!, "The notice cannot be read.");
        }
        else if (notice.Cancelled is { } request)
        {
            _deliverer.Cancel(request);
        }
        else
        {
            foreach (var ofTopic in notice.Departed.GroupBy(d => d.Topic, d => d.Group))
            {
                _inbox.Departed(ofTopic.Key, [.. ofTopic]);
            }
        }
    }

    private void OnDeaf(string reason, ILogger logger)
    {
        if (_pending.EndAll($"The connection to Redis broke while waiting for the reply ({reason}). Whether a handler ran is not known.") is var ended and > 0)
        {
            RedisLog.OutcomesUnknown(logger, ended);
        }
    }

    private async Task RestoreAsync(CancellationToken cancellationToken)
    {
        await _channels.RestoreAsync(cancellationToken).ConfigureAwait(false);
        await _presence.TryAnnounceAsync().ConfigureAwait(false);
    }
}
