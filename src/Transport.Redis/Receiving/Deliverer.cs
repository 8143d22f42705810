using System.Collections.Concurrent;
using StackExchange.Redis;

namespace ServiceMesh.Redis;

/// <summary>
/// What becomes of a message that was heard: every individual subscriber gets it, and one member of each group. Called on
/// the one thread that reads the subscription: offers in order of arrival, and does nothing slow there.
/// </summary>
internal sealed class Deliverer(TransportContext context, IRedisWire wire, Claims claims, Publisher publisher)
{
    // How long the other members of a group may take to claim what this one refuses.
    private static readonly TimeSpan s_timeToClaim = TimeSpan.FromMilliseconds(250);

    // A foreign caller takes the first reply for the answer, so a refusal waits until the others had their chance.
    private static readonly TimeSpan s_othersFirst = TimeSpan.FromMilliseconds(50);

    private const int RememberedCancellations = 4096;

    private readonly ConcurrentDictionary<MessageId, CancellationTokenSource> _running = new();
    private readonly RecentCancellations _cancelled = new(RememberedCancellations);

    /// <summary>The caller of a request waits no more: the token of its handler fires, if that runs here.</summary>
    public void Cancel(MessageId request)
    {
        // In this order, and the other way round where it runs: one of the two sees the other.
        _cancelled.Add(request);
        if (_running.TryGetValue(request, out var running))
        {
            _ = running.CancelAsync();
        }
    }

    /// <summary>A signal for one subscriber, or for one of the contests of a group.</summary>
    public void Signal(Message signal, Subscription subscription, Contest? contest) => _ = contest is null
        ? RunSignalAsync(subscription.Offer(signal))
        : CompeteForSignalAsync(signal, contest);

    /// <summary>A request for the groups that this node is in.</summary>
    public void Request(Message request, IReadOnlyList<Contest> contests) => _ = CompeteForRequestAsync(request, contests);

    /// <summary>A frame that must not be read. The sender of a request is told where its id can be had without.</summary>
    public void TooLarge(MessageKind kind, string channel, ReadOnlyMemory<byte> frame, string?[] groups)
    {
        var error = $"The message has {frame.Length} bytes; node '{context.NodeId}' accepts {context.MaxBodyBytes}. Send less, or raise its ServiceMesh:Request:MaxBodyBytes.";
        if (kind == MessageKind.Request && wire.TryReadId(frame, out var id))
        {
            _ = publisher.PublishOrReportAsync(
                wire.ReplyChannel(id), wire.Write(id, new(ReplyMessage.Failure(StatusCode.BodyTooLarge, error, notProcessed: true), [.. groups.OfType<string>()])), channel);
        }
        else
        {
            context.ReportLoss("too-large", channel, error, StatusCode.BodyTooLarge);
        }
    }

    private async Task CompeteForSignalAsync(Message signal, Contest contest)
    {
        var (delivery, refusal) = await EnterAsync(signal, contest).ConfigureAwait(false);
        if (delivery is { IsAccepted: true })
        {
            await RunSignalAsync(delivery).ConfigureAwait(false);
        }
        else if (delivery is not null)
        {
            await ReportUnlessTakenAsync(delivery).ConfigureAwait(false);
        }
        else if (refusal is not null)
        {
            context.ReportLoss("claim-failed", signal.Topic.ToString(), refusal.Error!, refusal.Status, signal.Sender);
        }
    }

    private static async Task RunSignalAsync(Delivery delivery)
    {
        if (!delivery.IsAccepted)
        {
            delivery.ReportLoss();
            return;
        }

        // Off the thread that reads: the handler's first part is the application's code.
        await Pool.HopAsync();
        await delivery.RunAsync().ConfigureAwait(false);
    }

    private async Task CompeteForRequestAsync(Message request, IReadOnlyList<Contest> contests)
    {
        // One group is the rule, and then nothing is collected.
        var entries = contests.Count == 1
            ? [await EnterAndAnswerAsync(request, contests[0]).ConfigureAwait(false)]
            : await Task.WhenAll(contests.Select(contest => EnterAndAnswerAsync(request, contest))).ConfigureAwait(false);
        if (_running.TryRemove(request.Id, out var callerGone))
        {
            callerGone.Dispose();
        }

        var refused = Array.FindAll(entries, entry => entry.Refusal is not null);
        if (refused.Length == 0)
        {
            return;
        }

        if (!wire.CountsRefusals(request.Id))
        {
            await Task.WhenAll(refused.Select(entry => AnswerForeignAsync(request, entry))).ConfigureAwait(false);
            return;
        }

        if (refused.Length == contests.Count)
        {
            await AnswerAsync(request, new(refused[0].Refusal!, [.. contests.Select(c => c.Subscription.Group!)])).ConfigureAwait(false);
        }

        await Task.WhenAll(refused.Where(entry => entry.Delivery is not null).Select(entry => ReportUnlessTakenAsync(entry.Delivery!))).ConfigureAwait(false);
    }

    private async Task<Entry> EnterAndAnswerAsync(Message request, Contest contest)
    {
        var entry = await EnterAsync(request, contest).ConfigureAwait(false);
        if (entry.Delivery is { IsAccepted: true } delivery)
        {
            await Pool.HopAsync();
            var callerGone = _running.GetOrAdd(request.Id, static _ => new());
            if (_cancelled.Contains(request.Id))
            {
                await callerGone.CancelAsync().ConfigureAwait(false);
            }

            await AnswerAsync(request, new(await delivery.RunAsync(callerGone.Token).ConfigureAwait(false))).ConfigureAwait(false);
        }

        return entry;
    }

    private async Task<Entry> EnterAsync(Message message, Contest contest)
    {
        try
        {
            var delivery = await contest.EnterAsync(message).ConfigureAwait(false);
            return new(delivery, delivery?.Refusal);
        }
        catch (Exception failure) when (failure is RedisException or TimeoutException or ObjectDisposedException)
        {
            return new(null, ReplyMessage.Failure(
                StatusCode.Unavailable, $"Node '{context.NodeId}' could not ask Redis for the claim: {failure.Message}", notProcessed: true));
        }
    }

    // The caller takes the claims itself when all refused, and another member when it was free: this loss is nobody else's.
    private async Task ReportUnlessTakenAsync(Delivery refused)
    {
        if (await IsUntakenAsync(refused.Message, refused.Subscription.Group!, s_timeToClaim).ConfigureAwait(false))
        {
            refused.ReportLoss();
        }
    }

    private async Task AnswerForeignAsync(Message request, Entry entry)
    {
        if (entry.Delivery is null || await IsUntakenAsync(request, entry.Delivery.Subscription.Group!, s_othersFirst).ConfigureAwait(false))
        {
            await AnswerAsync(request, new(entry.Refusal!)).ConfigureAwait(false);
        }
    }

    private async Task<bool> IsUntakenAsync(Message message, string group, TimeSpan time)
    {
        try
        {
            await Task.Delay(time, context.Clock).ConfigureAwait(false);
            return await claims.TryCloseAsync(message, group).ConfigureAwait(false);
        }
        catch (Exception failure) when (failure is RedisException or TimeoutException or ObjectDisposedException)
        {
            return true; // then nobody else can have claimed it for long either
        }
    }

    private Task AnswerAsync(Message request, Answer answer) =>
        publisher.PublishOrReportAsync(wire.ReplyChannel(request.Id), wire.Write(request.Id, answer), request.Topic.ToString());

    /// <summary>How one contest went: the delivery, accepted or refused; neither when another member has the message.</summary>
    private readonly record struct Entry(Delivery? Delivery, ReplyMessage? Refusal);
}
