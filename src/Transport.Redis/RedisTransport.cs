using System.Diagnostics.CodeAnalysis;
using System.Diagnostics.Metrics;
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
        MaxBodyBytes = 500 * 1024 * 1024, // Redis takes values of 512 MiB
    };

    // Each server counts its own connections only.
    private static readonly TransportCapabilities s_inCluster = s_capabilities with { ReceiverCount = ReceiverCount.Unknown };

    private readonly IRedisWire _wire = options.Wire == RedisWire.Gilmour ? new GilmourWire() : new NativeWire(options.KeyPrefix);
    private readonly PendingReplies _pending = new();
    private readonly RedisErrorQueue _errors =
        new(options.Wire == RedisWire.Gilmour ? new GilmourReports() : new NativeReports(options.KeyPrefix), queueCapacity);
    private TransportContext _context = null!;
    private RedisConnection? _connection;
    private Publisher _publisher = null!;
    private Presence _presence = null!;
    private GilmourHealth? _gilmour;
    private Channels _channels = null!;
    private Receivers _receivers = null!;
    private ReplyInbox _inbox = null!;
    private Deliverer _deliverer = null!;

    public TransportCapabilities Capabilities => _connection is { IsCluster: true } ? s_inCluster : s_capabilities;

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
        _deliverer = new(context, _wire, claims, _publisher);
        _channels = new(_connection, _wire, kind => new(kind, context, _wire, claims, _deliverer));
        _gilmour = _wire is GilmourWire gilmour ? new(gilmour, _connection, _channels, _publisher, context) : null;
        _errors.Open(_connection, context);

        await _connection.OpenAsync(context, RestoreAsync, cancellationToken).ConfigureAwait(false);
        await _channels.HearAsync(_wire.ReplySubscription(context.NodeId), _inbox.Hear, cancellationToken).ConfigureAwait(false);
        await _channels.HearAsync(_wire.NoticeChannel, OnNotice, cancellationToken).ConfigureAwait(false);
        await _presence.StartAsync().ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        await (_gilmour?.StartAsync(cancellationToken) ?? Task.CompletedTask).ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
    }

    /// <summary>From here on PUBLISH does not count this node any more, so others get the messages.</summary>
    public async Task DrainAsync(CancellationToken cancellationToken) =>
        await DepartAsync(await _channels.RemoveAllAsync(cancellationToken).ConfigureAwait(false)).ConfigureAwait(ConfigureAwaitOptions.ForceYielding);

    public async Task StopAsync(CancellationToken cancellationToken)
    {
        _pending.EndAll("The bus stopped before the reply came. Whether a handler ran is not known.");
        if (_gilmour is not null)
        {
            await _gilmour.DisposeAsync().ConfigureAwait(false);
        }

        await _presence.DisposeAsync().ConfigureAwait(false);
        await _channels.ClearAsync(cancellationToken).ConfigureAwait(false);
        await _connection!.CloseAsync().ConfigureAwait(false);
        _channels.Dispose();
    }

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
            _ = PublishAsync(request, waiting);
            return await waiting.Reply.ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            _ = _publisher.PublishOrReportAsync(_wire.NoticeChannel, _wire.Write(Notice.Cancel(request.Id)), request.Topic.ToString());
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

        var receivers = await _publisher.PublishAsync(_wire.SignalChannel(TopicPattern.From(signal.Topic)), _wire.Write(signal))
            .WaitAsync(cancellationToken).ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        return new(_connection.IsCluster ? null : (int)receivers);
    }

    public async Task<IReadOnlyList<NodeInfo>> ListNodesAsync(CancellationToken cancellationToken)
    {
        try
        {
            var ours = await _presence.ListAsync().WaitAsync(cancellationToken).ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
            return _gilmour is null ? ours : [.. ours, .. await _gilmour.ListAsync(ours, RequestAsync, cancellationToken).ConfigureAwait(false)];
        }
        catch (Exception failure) when (failure is RedisException or TimeoutException)
        {
            throw new TransportException($"Redis did not say which nodes there are: {failure.Message}", failure);
        }
    }

    public async Task SubscribeAsync(IReadOnlyCollection<Subscription> subscriptions, CancellationToken cancellationToken)
    {
        await _channels.AddAsync(subscriptions, cancellationToken).ConfigureAwait(false);
        await _presence.TryAnnounceAsync().ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
    }

    public async Task UnsubscribeAsync(Subscription subscription, CancellationToken cancellationToken)
    {
        if (await _channels.RemoveAsync(subscription, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.ForceYielding))
        {
            await DepartAsync([subscription]).ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        }
    }

    // Tells the request what became of its publication. Nothing here is the application's code, so any thread will do.
    private async Task PublishAsync(Message request, PendingReply waiting)
    {
        try
        {
            var published = await _publisher.PublishAsync(_wire.RequestChannel(request.Topic), _wire.Write(request)).ConfigureAwait(false);
            await _inbox.PublishedAsync(waiting, published).ConfigureAwait(false);
        }
        catch (TransportException failure)
        {
            waiting.TryEnd(ReplyMessage.Failure(StatusCode.Unavailable, failure.Message));
        }
    }

    private Task DepartAsync(IReadOnlyList<Subscription> subscriptions) => subscriptions.Count == 0 || !_connection!.IsUp
        ? Task.CompletedTask
        : _publisher.PublishOrReportAsync(_wire.NoticeChannel, _wire.Write(Notice.Depart(subscriptions)), "departure");

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
