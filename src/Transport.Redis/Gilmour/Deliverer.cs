using System.Collections.Concurrent;
using StackExchange.Redis;

namespace ServiceMesh.Redis;

/// <summary>
/// What becomes of a message that was heard: every individual subscriber gets it, and one member of each group. Called on
/// the one thread that reads the subscription: offers in order of arrival, and does nothing slow there.
/// </summary>
internal sealed class Deliverer(TransportContext context, Claims claims, Publisher publisher, LossLog losses)
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
    public void Request(Message request, Contest[] contests) =>
        _ = contests.Length == 1 ? CompeteForRequestAsync(request, contests[0], isOnly: true) : CompeteForRequestAsync(request, contests);

    /// <summary>A frame that must not be read. Its sender is not told: the id stands behind the data.</summary>
    public void TooLarge(string channel, int bytes)
    {
        var error = $"The message has {bytes} bytes; node '{context.NodeId}' accepts {context.MaxBodyBytes}. Send less, or raise its {context.KeyOf("Request:MaxBodyBytes")}.";
        losses.Report("too-large", channel, error, StatusCode.BodyTooLarge);
    }

    private async Task CompeteForSignalAsync(Message signal, Contest contest)
    {
        var (delivery, refusal) = await contest.EnterAsync(signal).ConfigureAwait(false);
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
            losses.Report("claim-failed", signal.Topic.ToString(), refusal.Error!, refusal.Status, signal.Sender);
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

    private async Task CompeteForRequestAsync(Message request, Contest[] contests)
    {
        var entries = await Task.WhenAll(contests.Select(contest => CompeteForRequestAsync(request, contest, isOnly: false))).ConfigureAwait(false);
        End(request);
        var refused = Array.FindAll(entries, entry => entry.Refusal is not null);
        if (refused.Length > 0)
        {
            await RefuseAsync(request, contests, refused).ConfigureAwait(false);
        }
    }

    // One method from the claim to the answer, because each that waits costs the request an object and a turn.
    private async Task<Entry> CompeteForRequestAsync(Message request, Contest contest, bool isOnly)
    {
        var entry = await contest.EnterAsync(request).ConfigureAwait(false);
        if (entry.Delivery is { IsAccepted: true } delivery)
        {
            await Pool.HopAsync();
            if (request.Deadline.HasPassed)
            {
                // The claim took too long: the request is late now, and its caller has gone.
                delivery.Withdraw();
                Answer(request, new(ReplyMessage.Failure(
                    StatusCode.DeadlinePassed, "The caller's deadline had passed when the claim was won.", notProcessed: true)));
                End(request);
                return entry;
            }

            var callerGone = _running.GetOrAdd(request.Id, static _ => new());
            if (_cancelled.Contains(request.Id))
            {
                await callerGone.CancelAsync().ConfigureAwait(false);
            }

            Answer(request, new(await delivery.RunAsync(callerGone.Token).ConfigureAwait(false)));
        }

        if (isOnly)
        {
            End(request);
            if (entry.Refusal is not null)
            {
                await RefuseAsync(request, [contest], [entry]).ConfigureAwait(false);
            }
        }

        return entry;
    }

    // All handlers of the request that run here have ended.
    private void End(Message request)
    {
        if (_running.TryRemove(request.Id, out var callerGone))
        {
            callerGone.Dispose();
        }
    }

    private async Task RefuseAsync(Message request, Contest[] contests, Entry[] refused)
    {
        if (!GilmourWire.CountsRefusals(request.Id))
        {
            await Task.WhenAll(refused.Select(entry => AnswerForeignAsync(request, entry))).ConfigureAwait(false);
            return;
        }

        if (refused.Length == contests.Length)
        {
            Answer(request, new(refused[0].Refusal!, [.. contests.Select(c => c.Subscription.Group!)]));
        }

        await Task.WhenAll(refused.Where(entry => entry.Delivery is not null).Select(entry => ReportUnlessTakenAsync(entry.Delivery!))).ConfigureAwait(false);
    }

    // The caller takes the claims itself when all refused, and another member when it was free: no other node reports this loss.
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
            Answer(request, new(entry.Refusal!));
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
            return true; // then no other member can hold the claim for long
        }
    }

    private void Answer(Message request, Answer answer) =>
        publisher.PublishOrReport(GilmourWire.ReplyChannel(request.Id), GilmourWire.Write(request.Id, answer), request.Topic.ToString());
}
