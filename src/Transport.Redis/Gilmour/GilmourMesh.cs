using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using Microsoft.Extensions.Logging;
using ServiceMesh.Links;
using StackExchange.Redis;

namespace ServiceMesh.Redis;

/// <summary>
/// The protocol of Gilmour: a request is one PUBLISH whose receiver count says when no member is there, and the members of a group
/// race for a claim. Replies come through one subscription per node. Thread-safe.
/// </summary>
[SuppressMessage("Design", "CA1001", Justification = "StopAsync, which every transport has, ends and disposes all of it.")]
internal sealed class GilmourMesh : IRedisMesh
{
    private readonly PendingReplies _pending = new();
    private readonly RedisConnection _connection;
    private readonly TransportContext _context;
    private readonly ILogger _logger;
    private readonly LossLog _losses;
    private readonly RedisSubscriptions _subscriptions;
    private readonly Publisher _publisher;
    private readonly Publications<PendingReply> _requests;
    private readonly Presence _presence;
    private readonly GilmourHealth _health;
    private readonly Channels _channels;
    private readonly ReplyInbox _inbox;
    private readonly Answers _answers;
    private readonly Deliverer _deliverer;

    private readonly string _errorChannel;

    // Only this node hears it: its beats.
    private readonly RedisChannel _beats;

    public GilmourMesh(RedisTransportOptions options, RedisConnection connection, TransportContext context, ILogger logger)
    {
        (_connection, _context, _logger) = (connection, context, logger);
        _errorChannel = options.Gilmour.ErrorChannel;
        _subscriptions = new(connection, context.Clock, logger);
        _losses = new(context);
        _publisher = new(connection, _losses);
        var claims = new Claims(connection, context.NodeId);
        _presence = new(connection, context, _losses, options.KeyPrefix);
        var receivers = new Receivers(connection, _presence, logger);
        _inbox = new(context, _pending, claims, receivers, _losses, logger);

        // Tells a request what became of its publication. Nothing there is the application's code, so any thread will do.
        _requests = new(
            connection, _inbox.Published,
            static (waiting, failure) => waiting.TryEnd(ReplyMessage.Failure(StatusCode.Unavailable, failure.Message)));
        _answers = new(connection, _losses, context.Clock);
        _deliverer = new(context, claims, _publisher, _answers, _losses);
        _channels = new(_subscriptions, subscription => new(subscription, context, claims, _deliverer, _losses));
        _health = new(connection, _subscriptions, _answers, context, _losses);
        _beats = RedisChannel.Literal($"gilmour.mesh.beat.{context.NodeId}");
    }

    public int Waiting => _pending.Count;

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        await _subscriptions.HearAsync(_beats, OnBeat, cancellationToken).ConfigureAwait(false);
        await _subscriptions.HearAsync(
            Publisher.Channel(GilmourWire.ReplySubscription(_context.NodeId)), _inbox.Hear, cancellationToken).ConfigureAwait(false);
        await _subscriptions.HearAsync(Publisher.Channel(GilmourWire.NoticeChannel), OnNotice, cancellationToken).ConfigureAwait(false);
        await _connection.WatchAsync(cancellationToken).ConfigureAwait(false);
        await _presence.StartAsync().ConfigureAwait(false);
        await _health.StartAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>From here on PUBLISH does not count this node any longer, so others get the messages.</summary>
    public async Task DrainAsync(CancellationToken cancellationToken) =>
        await DepartAsync(await _channels.RemoveAllAsync(cancellationToken).ConfigureAwait(false)).ConfigureAwait(false);

    public async Task StopAsync(CancellationToken cancellationToken)
    {
        _pending.EndAll("The bus stopped before the reply came. Whether a handler ran is not known.");
        await _answers.EndAsync(cancellationToken).ConfigureAwait(false);
        // For a connection that was handed in: it outlives the bus. Without Redis each of these may take its time.
        await _subscriptions.ClearAsync(cancellationToken).ConfigureAwait(false);
        await _health.DisposeAsync().AsTask().WaitAsync(cancellationToken).ConfigureAwait(false);
        await _presence.DisposeAsync().AsTask().WaitAsync(cancellationToken).ConfigureAwait(false);
        _losses.Flush();
        _channels.Dispose();
        _subscriptions.Dispose();
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public async ValueTask<ReplyMessage> RequestAsync(Message request, CancellationToken cancellationToken)
    {
        if (GilmourWire.ValidateBody(request) is { } error)
        {
            return ReplyMessage.Failure(StatusCode.BadRequest, error, notProcessed: true);
        }

        // Waits before it asks: the reply may be here before PUBLISH has returned, and the one who sees a gap begin ends all
        // that wait. So a request is either ended there or sees the gap here.
        var waiting = _pending.Add(request);
        try
        {
            if (!_connection.IsUp)
            {
                return ReplyMessage.Failure(StatusCode.Unavailable, _connection.Absence, notProcessed: true);
            }

            using var registration = cancellationToken.UnsafeRegister(static (p, token) => ((PendingReply)p!).TryCancel(token), waiting);
            _requests.Publish(GilmourWire.RequestChannel(request.Topic), GilmourWire.Write(request), waiting);
            return await waiting.Reply.ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            _publisher.PublishOrReport(GilmourWire.NoticeChannel, GilmourWire.Write(Notice.Cancel(request.Id)), request.Topic.ToString());
            throw;
        }
        finally
        {
            _pending.Remove(request.Id.Number);
        }
    }

    public async ValueTask<SignalResult> SignalAsync(Message signal, CancellationToken cancellationToken)
    {
        if (!_connection.IsUp)
        {
            throw new TransportException(_connection.Absence);
        }

        if (GilmourWire.ValidateBody(signal) is { } error)
        {
            throw new TransportException(error);
        }

        var publishing = _publisher.PublishAsync(GilmourWire.SignalChannel(signal.Topic, _errorChannel), GilmourWire.Write(signal));
        var receivers = await Pool.ReturnAsync(publishing.WaitAsync(cancellationToken)).ConfigureAwait(false);
        return new(_connection.PublishCountsAll ? (int)receivers : null);
    }

    public async Task<IReadOnlyList<NodeInfo>> ListAsync(CancellationToken cancellationToken)
    {
        var ours = await _presence.ListAsync().WaitAsync(cancellationToken).ConfigureAwait(false);
        return [.. ours, .. await _health.ListAsync(ours, RequestAsync, cancellationToken).ConfigureAwait(false)];
    }

    public async Task SubscribeAsync(IReadOnlyCollection<Subscription> subscriptions, CancellationToken cancellationToken)
    {
        await _channels.AddAsync(subscriptions, cancellationToken).ConfigureAwait(false);
        await _presence.TryAnnounceAsync().ConfigureAwait(false);
    }

    public async Task UnsubscribeAsync(Subscription subscription, CancellationToken cancellationToken)
    {
        if (await _channels.RemoveAsync(subscription, cancellationToken).ConfigureAwait(false))
        {
            await DepartAsync([subscription]).ConfigureAwait(false);
        }
    }

    public Task RestoreAsync(CancellationToken cancellationToken) => _subscriptions.RestoreAsync(cancellationToken);

    public Task BeatAsync(long number) => _connection.Subscriber.PublishAsync(_beats, number);

    public void OnGap(string reason)
    {
        _subscriptions.Mute();
        var ended = _pending.EndAll(
            $"The connection to Redis broke while waiting for the reply ({reason}). Whether a handler ran is not known.");
        if (ended > 0)
        {
            RedisLog.OutcomesUnknown(_logger, ended);
        }
    }

    public void OnWhole() => _ = RecoverAsync();

    private async Task RecoverAsync()
    {
        await _subscriptions.RestoreMissingAsync().ConfigureAwait(false);
        await _presence.TryAnnounceAsync().ConfigureAwait(false);
    }

    private void OnBeat(RedisChannel channel, RedisValue value)
    {
        if (value.TryParse(out long number))
        {
            _connection.Heard(number);
        }

        // A beat arrives once a second while anything arrives, so floods are told of here without a loop of their own.
        _losses.Tick();
    }

    private async Task DepartAsync(IReadOnlyList<Subscription> subscriptions)
    {
        if (subscriptions.Count == 0 || !_connection.IsUp)
        {
            return;
        }

        try
        {
            await _publisher.PublishAsync(GilmourWire.NoticeChannel, GilmourWire.Write(Notice.Depart(subscriptions))).ConfigureAwait(false);
        }
        catch (TransportException failure)
        {
            _losses.Report("not-published", "departure", failure.Message, StatusCode.Unavailable);
        }
    }

    private void OnNotice(RedisChannel channel, RedisValue value)
    {
        byte[]? frame = value;
        if (RedisTransportOptions.Exceeds(frame!.Length, _context.MaxBodyBytes) || !GilmourWire.TryReadNotice(frame, out var notice))
        {
            _losses.Report("malformed-frame", channel!, "The notice cannot be read.");
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
}
