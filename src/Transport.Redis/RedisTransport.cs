using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace ServiceMesh.Redis;

/// <summary>
/// Requests and signals over Redis publish/subscribe. A request is one PUBLISH whose receiver count says when nobody is
/// there; the members of a group race for a claim; replies come through one subscription per node.
/// </summary>
[SuppressMessage("Design", "CA1001", Justification = "StopAsync, which every transport has, disposes the presence.")]
internal sealed class RedisTransport(RedisTransportOptions options, int queueCapacity) : ITransport
{
    // A member that must refuse lets the others claim first: only when all refuse is the refusal the answer.
    private static readonly TimeSpan s_refusalDelay = TimeSpan.FromMilliseconds(20);

    // How long a member that has heard a request may take to claim it, before its caller takes it back.
    private static readonly TimeSpan s_takeBackDelay = TimeSpan.FromMilliseconds(250);

    // What a frame may have besides the body: headers at their limit, names, numbers.
    private const int FrameOverhead = 64 * 1024;

    private readonly IRedisWire _wire = options.Wire == RedisWire.Gilmour ? new GilmourWire() : new NativeWire(options.KeyPrefix);
    private readonly RedisErrorQueue _errors =
        new(options.Wire == RedisWire.Gilmour ? new GilmourReports() : new NativeReports(options.KeyPrefix), queueCapacity);
    private readonly RedisConnection _connection = new(options);
    private readonly PendingReplies _pending = new();
    private readonly ConcurrentDictionary<MessageId, CancellationTokenSource> _running = new();
    private readonly ConcurrentDictionary<string, Listener> _listeners = new();
    private TransportContext _context = null!;
    private ILogger _logger = null!;
    private Claims _claims = null!;
    private IDatabase _database = null!;
    private ISubscriber _subscriber = null!;
    private Presence _presence = null!;
    private GilmourHealth? _health;

    public TransportCapabilities Capabilities { get; } = new()
    {
        System = "redis",
        Features = TransportFeatures.Patterns | TransportFeatures.SignalGroups | TransportFeatures.Cancellation
            | TransportFeatures.RequestsReachEveryGroup | (ClientKeepsOrder ? TransportFeatures.OrderedDelivery : TransportFeatures.None),
        ReceiverCount = ReceiverCount.Deliveries,
        MaxBodyBytes = 500 * 1024 * 1024, // Redis takes values of 512 MiB
    };

    public IErrorQueue ErrorQueue => _errors;

    public TransportHealth Health => _connection.Health;

    // From version 2 on the client calls subscribers concurrently, and the ordered way there does not exist in version 1.
    private static bool ClientKeepsOrder => typeof(ConnectionMultiplexer).Assembly.GetName().Version is { Major: < 2 };

    public async Task StartAsync(TransportContext context, CancellationToken cancellationToken)
    {
        _context = context;
        _logger = context.LoggerFactory.CreateLogger("ServiceMesh.Redis");
        await _connection.OpenAsync(context, cancellationToken).ConfigureAwait(false);
        _database = _connection.Database;
        _subscriber = _connection.Subscriber;
        _errors.Open(_database, context);
        _claims = new(_database, _wire, context.NodeId);
        _connection.GapBegan += OnGap;
        await _subscriber.SubscribeAsync(Channel(_wire.ReplySubscription(context.NodeId)), OnReply).ConfigureAwait(false);
        await _subscriber.SubscribeAsync(Channel(_wire.NoticeChannel), OnNotice).ConfigureAwait(false);
        _presence = new(_database, context, options.KeyPrefix);
        await _presence.StartAsync().ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        _health = _wire is GilmourWire gilmour ? new(gilmour, _database, _subscriber, context) : null;
        await (_health?.StartAsync() ?? Task.CompletedTask).ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
    }

    /// <summary>From here on PUBLISH does not count this node any more, so others get the messages.</summary>
    public async Task DrainAsync(CancellationToken cancellationToken)
    {
        var listeners = _listeners.ToArray();
        _listeners.Clear();
        await Task.WhenAll(listeners.Select(l => _subscriber.UnsubscribeAsync(Channel(l.Key)))).ConfigureAwait(false);
        await DepartAsync(listeners.SelectMany(l => l.Value.Subscriptions)).ConfigureAwait(false);
    }

    public async Task StopAsync(CancellationToken cancellationToken)
    {
        _pending.EndAll("The bus stopped before the reply came. Whether a handler ran is not known.");
        if (_health is not null)
        {
            await _health.DisposeAsync().ConfigureAwait(false);
        }

        await _presence.DisposeAsync().ConfigureAwait(false);
        await _connection.CloseAsync().ConfigureAwait(false);
    }

    public async ValueTask<ReplyMessage> RequestAsync(Message request, CancellationToken cancellationToken)
    {
        if (!_connection.IsUp)
        {
            return ReplyMessage.Failure(StatusCode.Unavailable, $"Redis is not connected: {Health.Reason}.", notProcessed: true);
        }

        if (_wire.Complain(request) is { } complaint)
        {
            return ReplyMessage.Failure(StatusCode.BadRequest, complaint, notProcessed: true);
        }

        // Waits before it asks: the reply may be here before PUBLISH has returned.
        var number = request.Id.Number;
        var pending = _pending.Add(request);
        try
        {
            var receivers = await PublishAsync(_wire.RequestChannel(request.Topic), _wire.Write(request)).ConfigureAwait(false);
            if (receivers == 0)
            {
                return ReplyMessage.NoHandler(request.Topic);
            }

            foreach (var group in pending.Published(receivers))
            {
                _ = TakeBackAsync(pending, group);
            }

            using var registration = cancellationToken.UnsafeRegister(static (p, token) => ((PendingReply)p!).TryCancel(token), pending);
            return await pending.Reply.ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            _ = PublishQuietlyAsync(_wire.NoticeChannel, _wire.Write(Notice.Cancel(request.Id)), request.Topic.ToString());
            throw;
        }
        finally
        {
            _pending.Remove(number);
        }
    }

    public async ValueTask<SignalResult> SignalAsync(Message signal, CancellationToken cancellationToken)
    {
        if (!_connection.IsUp)
        {
            throw new TransportException($"Redis is not connected: {Health.Reason}.");
        }

        if (_wire.Complain(signal) is { } complaint)
        {
            throw new TransportException(complaint);
        }

        var receivers = await PublishAsync(_wire.SignalChannel(TopicPattern.From(signal.Topic)), _wire.Write(signal))
            .WaitAsync(cancellationToken).ConfigureAwait(false);
        return new((int)receivers);
    }

    public async Task<IReadOnlyList<NodeInfo>> ListNodesAsync(CancellationToken cancellationToken)
    {
        try
        {
            var ours = await _presence.ListAsync().WaitAsync(cancellationToken).ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
            return _health is null ? ours : [.. ours, .. await _health.ListAsync(ours, RequestAsync, cancellationToken).ConfigureAwait(false)];
        }
        catch (Exception failure) when (failure is RedisException or TimeoutException)
        {
            throw new TransportException($"Redis did not say which nodes there are: {failure.Message}", failure);
        }
    }

    public async Task SubscribeAsync(IReadOnlyCollection<Subscription> subscriptions, CancellationToken cancellationToken)
    {
        await Task.WhenAll(subscriptions.GroupBy(ChannelOf).Select(ofChannel => ListenAsync(ofChannel.Key, [.. ofChannel]))).ConfigureAwait(false);
        await _presence.TryAnnounceAsync().ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
    }

    public async Task UnsubscribeAsync(Subscription subscription, CancellationToken cancellationToken)
    {
        var channel = ChannelOf(subscription);
        if (_listeners.TryGetValue(channel, out var listener) && listener.Remove(subscription) == 0 && _listeners.TryRemove(channel, out _))
        {
            await _subscriber.UnsubscribeAsync(Channel(channel)).ConfigureAwait(false);
            await DepartAsync([subscription]).ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        }
    }

    private async Task ListenAsync(string channel, Subscription[] subscriptions)
    {
        var listener = new Listener(this, subscriptions[0].Kind);
        if (_listeners.TryAdd(channel, listener))
        {
            listener.Add(subscriptions);
            await _subscriber.SubscribeAsync(Channel(channel), listener.Hear).ConfigureAwait(false);
            return;
        }

        // The channel is heard already, and what was published before now may still be on its way: it comes before this answer.
        await _subscriber.PingAsync().ConfigureAwait(false);
        _listeners[channel].Add(subscriptions);
    }

    private static RedisChannel Channel(string name) =>
        new(name, name.Contains('*', StringComparison.Ordinal) ? RedisChannel.PatternMode.Pattern : RedisChannel.PatternMode.Literal);

    private string ChannelOf(Subscription subscription) => subscription.Kind == MessageKind.Request
        ? _wire.RequestChannel(Topic.Parse(subscription.Pattern.ToString()))
        : _wire.SignalChannel(subscription.Pattern);

    private async Task<long> PublishAsync(string channel, byte[] frame)
    {
        try
        {
            // The client goes on with whoever waits on the one thread that reads for it; the application must not.
            return await _subscriber.PublishAsync(Channel(channel), frame).ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        }
        catch (Exception failure) when (failure is RedisException or TimeoutException or ObjectDisposedException)
        {
            throw new TransportException($"Redis did not take the message, or its answer is lost: {failure.Message}", failure);
        }
    }

    private async Task PublishQuietlyAsync(string channel, byte[] frame, string topic)
    {
        try
        {
            await PublishAsync(channel, frame).ConfigureAwait(false);
        }
        catch (TransportException failure)
        {
            _context.ReportLoss("not-published", topic, failure.Message, StatusCode.Unavailable);
        }
    }

    private void OnGap(string reason) => RedisLog.GapBegan(
        _logger, reason, _pending.EndAll("The connection to Redis broke while waiting for the reply. Whether a handler ran is not known."));

    private void OnReply(RedisChannel channel, RedisValue value)
    {
        byte[]? frame = value;
        if (frame!.Length > _context.MaxBodyBytes + FrameOverhead)
        {
            _context.ReportLoss("reply-too-large", channel!, $"A reply has {frame.Length} bytes.", StatusCode.BodyTooLarge);
        }
        else if (!_wire.TryReadReply(channel!, frame, out var request, out var reply, out var error))
        {
            _context.ReportLoss("malformed-frame", channel!, error);
        }
        else
        {
            // Nobody waits any more: the caller has had its 408 or its cancellation, or another group was faster.
            _pending.TryEnd(request, reply);
        }
    }

    private void OnNotice(RedisChannel channel, RedisValue value)
    {
        byte[]? frame = value;
        if (!_wire.TryReadNotice(frame, out var notice))
        {
            _context.ReportLoss("malformed-frame", channel!, "The notice cannot be read.");
        }
        else if (notice.Cancelled is { } request)
        {
            if (_running.TryGetValue(request, out var running))
            {
                _ = running.CancelAsync();
            }
        }
        else
        {
            foreach (var (topic, group) in notice.Departed)
            {
                foreach (var pending in _pending.On(topic).Where(p => p.Departed(group)))
                {
                    _ = TakeBackAsync(pending, group);
                }
            }
        }
    }

    // Between its last message and Redis hearing that it left, a node was still counted as a receiver. The caller takes
    // the claim itself: when it gets it, no member has the request and none ever will.
    private async Task TakeBackAsync(PendingReply pending, string group)
    {
        try
        {
            // The one receiver may also be another node, which is about to take it.
            await Task.Delay(s_takeBackDelay, _context.Clock).ConfigureAwait(false);
            if (await _claims.TryTakeAsync(pending.Request, group).ConfigureAwait(false))
            {
                _pending.TryEnd(pending.Request.Id.Number, ReplyMessage.Failure(
                    StatusCode.Unavailable, $"The node that handled '{pending.Request.Topic}' has left before it took the request.", notProcessed: true));
            }
        }
        catch (Exception failure) when (failure is RedisException or TimeoutException or ObjectDisposedException)
        {
            // The connection is gone, and that ends the request anyway.
            RedisLog.TakeBackFailed(_logger, pending.Request.Topic, failure.Message);
        }
    }

    private Task DepartAsync(IEnumerable<Subscription> subscriptions) =>
        PublishQuietlyAsync(_wire.NoticeChannel, _wire.Write(Notice.Depart(subscriptions)), "departure");

    // Called on the one thread that reads the subscription: offers in order of arrival, and does nothing slow.
    private void Hear(Message message, IEnumerable<Subscription> subscriptions)
    {
        foreach (var subscription in subscriptions)
        {
            _ = TakeAsync(subscription.Offer(message));
        }
    }

    private async Task TakeAsync(Delivery delivery)
    {
        var (subscription, message) = (delivery.Subscription, delivery.Message);
        try
        {
            if (!delivery.IsAccepted && subscription.Group is not null)
            {
                // The others go first. Meanwhile a place may become free that was only held for a claim that another won.
                await Task.Delay(s_refusalDelay, _context.Clock).ConfigureAwait(false);
                delivery = subscription.Offer(message);
            }

            var mayTake = subscription.Group is not { } group || await _claims.TryTakeAsync(message, group).ConfigureAwait(false);
            await SettleAsync(delivery, mayTake).ConfigureAwait(false);
        }
        catch (Exception failure) when (failure is RedisException or TimeoutException or ObjectDisposedException)
        {
            if (delivery.IsAccepted)
            {
                delivery.Withdraw();
            }

            _context.ReportLoss("claim-failed", message.Topic.ToString(), $"Redis could not be asked for the claim: {failure.Message}", StatusCode.Unavailable);
        }
    }

    private Task SettleAsync(Delivery delivery, bool mayTake)
    {
        if (delivery.IsAccepted && mayTake)
        {
            return RunAsync(delivery);
        }

        if (delivery.IsAccepted)
        {
            delivery.Withdraw();
        }
        else if (mayTake && delivery.Message.Kind == MessageKind.Signal)
        {
            delivery.ReportLoss();
        }
        else if (mayTake)
        {
            return AnswerAsync(delivery.Message, delivery.Refusal!);
        }

        return Task.CompletedTask;
    }

    private async Task RunAsync(Delivery delivery)
    {
        // Off the thread that reads: the handler's first part is the application's code.
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        if (delivery.Message.Kind == MessageKind.Signal)
        {
            await delivery.RunAsync().ConfigureAwait(false);
            return;
        }

        using var callerGone = new CancellationTokenSource();
        _running[delivery.Message.Id] = callerGone;
        ReplyMessage reply;
        try
        {
            reply = await delivery.RunAsync(callerGone.Token).ConfigureAwait(false);
        }
        finally
        {
            _running.TryRemove(delivery.Message.Id, out _);
        }

        await AnswerAsync(delivery.Message, reply).ConfigureAwait(false);
    }

    private Task AnswerAsync(Message request, ReplyMessage reply) =>
        PublishQuietlyAsync(_wire.ReplyChannel(request.Id), _wire.Write(request.Id, reply), request.Topic.ToString());

    /// <summary>The subscriptions of this node behind one Redis channel or pattern.</summary>
    private sealed class Listener(RedisTransport transport, MessageKind kind)
    {
        private readonly Lock _lock = new();
        private volatile Subscription[] _subscriptions = [];

        public IReadOnlyList<Subscription> Subscriptions => _subscriptions;

        public void Add(IEnumerable<Subscription> subscriptions)
        {
            lock (_lock)
            {
                _subscriptions = [.. _subscriptions, .. subscriptions];
            }
        }

        public int Remove(Subscription subscription)
        {
            lock (_lock)
            {
                _subscriptions = [.. _subscriptions.Where(s => s != subscription)];
                return _subscriptions.Length;
            }
        }

        public void Hear(RedisChannel channel, RedisValue value)
        {
            byte[]? frame = value;
            var context = transport._context;
            if (frame!.Length > context.MaxBodyBytes + FrameOverhead)
            {
                context.ReportLoss("too-large", channel!, $"A message has {frame.Length} bytes.", StatusCode.BodyTooLarge);
            }
            else if (!transport._wire.TryReadTopic(channel!, kind, out var topic))
            {
                context.ReportLoss("no-topic", channel!, "The channel's name is no topic.");
            }
            else if (!transport._wire.TryReadMessage(kind, topic, frame, context.Clock, out var message, out var error))
            {
                context.ReportLoss("malformed-frame", channel!, error);
            }
            else
            {
                // Redis knows '*' only as "any characters": a pattern's own grammar has the last word.
                transport.Hear(message, _subscriptions.Where(s => s.Pattern.Matches(topic)));
            }
        }
    }
}
