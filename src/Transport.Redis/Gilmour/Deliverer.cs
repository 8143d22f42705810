using System.Collections.Concurrent;
using ServiceMesh.Links;
using StackExchange.Redis;

namespace ServiceMesh.Redis;

/// <summary>
/// What becomes of a message that was heard: every individual subscriber gets it, and one member of each group. Called on
/// the one thread that reads the subscription: offers in order of arrival, and does nothing slow there.
/// </summary>
internal sealed class Deliverer(TransportContext context, Claims claims, Publisher publisher, Answers answers, LossLog losses)
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

    /// <summary>A signal for one subscriber, or for a group when <paramref name="groupClaim"/> is given.</summary>
    public void Signal(Message signal, Subscription subscription, GroupClaim? groupClaim) => _ = groupClaim is null
        ? RunSignalAsync(subscription.Offer(signal))
        : ClaimSignalAsync(signal, groupClaim);

    /// <summary>A request for the groups that this node is in.</summary>
    public void Request(Message request, GroupClaim[] groupClaims) =>
        _ = groupClaims.Length == 1 ? ClaimRequestAsync(request, groupClaims[0], isOnly: true) : ClaimRequestAsync(request, groupClaims);

    /// <summary>A frame that must not be read.</summary>
    public void TooLarge(string channel, int bytes) =>
        losses.Report("too-large", channel, Oversize(bytes), StatusCode.BodyTooLarge);

    /// <summary>The same of a request: its caller gets 413 when its name is found at one end of the frame.</summary>
    public void TooLarge(string channel, Topic topic, ReadOnlyMemory<byte> frame, GroupClaim[] groupClaims)
    {
        TooLarge(channel, frame.Length);
        if (GilmourWire.TryFindSender(frame, out var caller))
        {
            _ = RefuseTooLargeAsync(
                new() { Id = caller, Kind = MessageKind.Request, Topic = topic, ContentType = "application/json", Body = default },
                ReplyMessage.Failure(StatusCode.BodyTooLarge, Oversize(frame.Length), notProcessed: true),
                [.. groupClaims.Select(c => c.Subscription.Group!)]);
        }
    }

    private string Oversize(int bytes) =>
        $"The message has {bytes} bytes; node '{context.NodeId}' accepts {context.MaxBodyBytes}. "
        + $"Send less, or raise its {context.KeyOf("Request:MaxBodyBytes")}.";

    // Another member may accept more: a foreign caller is told only when no member has taken the request.
    private async Task RefuseTooLargeAsync(Message request, ReplyMessage refusal, string[] groups)
    {
        if (GilmourWire.CountsRefusals(request.Id))
        {
            Answer(request, new(refusal, groups));
        }
        else if (Array.TrueForAll(
            await Task.WhenAll(groups.Select(group => IsUntakenAsync(request, group, s_othersFirst))).ConfigureAwait(false),
            isUntaken => isUntaken))
        {
            Answer(request, new(refusal));
        }
    }

    private async Task ClaimSignalAsync(Message signal, GroupClaim groupClaim)
    {
        var (delivery, refusal) = await groupClaim.ClaimAsync(signal).ConfigureAwait(false);
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

    private async Task ClaimRequestAsync(Message request, GroupClaim[] groupClaims)
    {
        var outcomes = await Task.WhenAll(
            groupClaims.Select(groupClaim => ClaimRequestAsync(request, groupClaim, isOnly: false))).ConfigureAwait(false);
        End(request);
        var refused = Array.FindAll(outcomes, outcome => outcome.Refusal is not null);
        if (refused.Length > 0)
        {
            await RefuseAsync(request, groupClaims, refused).ConfigureAwait(false);
        }
    }

    // One method from the claim to the answer, because each that waits costs the request an object and a turn.
    private async Task<ClaimOutcome> ClaimRequestAsync(Message request, GroupClaim groupClaim, bool isOnly)
    {
        var outcome = await groupClaim.ClaimAsync(request).ConfigureAwait(false);
        if (outcome.Delivery is { IsAccepted: true } delivery)
        {
            await Pool.HopAsync();
            if (request.Deadline.HasPassed)
            {
                // The claim took too long: the request is late now, and its caller has gone.
                delivery.Withdraw();
                Answer(request, new(ReplyMessage.Failure(
                    StatusCode.DeadlinePassed, "The caller's deadline had passed when the claim was won.", notProcessed: true)));
                End(request);
                return outcome;
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
            if (outcome.Refusal is not null)
            {
                await RefuseAsync(request, [groupClaim], [outcome]).ConfigureAwait(false);
            }
        }

        return outcome;
    }

    // All handlers of the request that run here have ended.
    private void End(Message request)
    {
        if (_running.TryRemove(request.Id, out var callerGone))
        {
            callerGone.Dispose();
        }
    }

    private async Task RefuseAsync(Message request, GroupClaim[] groupClaims, ClaimOutcome[] refused)
    {
        if (!GilmourWire.CountsRefusals(request.Id))
        {
            await Task.WhenAll(refused.Select(outcome => AnswerForeignAsync(request, outcome))).ConfigureAwait(false);
            return;
        }

        if (refused.Length == groupClaims.Length)
        {
            Answer(request, new(refused[0].Refusal!, [.. groupClaims.Select(c => c.Subscription.Group!)]));
        }

        await Task.WhenAll(
            refused.Where(outcome => outcome.Delivery is not null).Select(outcome => ReportUnlessTakenAsync(outcome.Delivery!)))
            .ConfigureAwait(false);
    }

    // The caller takes the claims itself when all refused, and another member when it was free: no other node reports this loss.
    private async Task ReportUnlessTakenAsync(Delivery refused)
    {
        if (await IsUntakenAsync(refused.Message, refused.Subscription.Group!, s_timeToClaim).ConfigureAwait(false))
        {
            refused.ReportLoss();
        }
    }

    private async Task AnswerForeignAsync(Message request, ClaimOutcome outcome)
    {
        if (outcome.Delivery is null
            || await IsUntakenAsync(request, outcome.Delivery.Subscription.Group!, s_othersFirst).ConfigureAwait(false))
        {
            Answer(request, new(outcome.Refusal!));
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

    private void Answer(Message request, Answer answer)
    {
        var (channel, frame, topic) = (
            GilmourWire.ReplyChannel(request.Id), GilmourWire.Write(request.Id, answer), request.Topic.ToString());
        if (GilmourWire.CountsRefusals(request.Id))
        {
            publisher.PublishOrReport(channel, frame, topic); // ours listens before it asks
        }
        else
        {
            answers.Publish(channel, frame, topic);
        }
    }
}
