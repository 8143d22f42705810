using Microsoft.Extensions.Logging;
using ServiceMesh.Links;
using StackExchange.Redis;

namespace ServiceMesh.Redis;

/// <summary>
/// Ends this node's requests: with the reply of the member that took them, or, when all who heard one have refused it or
/// left, with that. Called on the one thread that reads the subscription, and does nothing slow there.
/// </summary>
internal sealed class ReplyInbox(
    TransportContext context, PendingReplies pending, Claims claims, Receivers receivers, LossLog losses, ILogger logger)
{
    // How long a member that has heard a request may take to claim it, before its caller takes it back.
    private static readonly TimeSpan s_timeToClaim = TimeSpan.FromMilliseconds(250);

    public void Hear(RedisChannel channel, RedisValue value)
    {
        byte[]? frame = value;
        if (RedisTransportOptions.Exceeds(frame!.Length, context.MaxBodyBytes))
        {
            var error =
                $"The reply has {frame.Length} bytes; node '{context.NodeId}' accepts {context.MaxBodyBytes}. "
                + $"Answer with less, or raise its {context.KeyOf("Request:MaxBodyBytes")}.";
            if (!GilmourWire.TryReadRequestNumber(channel!, frame, out var of)
                || !pending.TryEnd(of, ReplyMessage.Failure(StatusCode.BodyTooLarge, error)))
            {
                losses.Report("reply-too-large", channel!, error, StatusCode.BodyTooLarge);
            }
        }
        else if (!GilmourWire.TryReadAnswer(channel, frame, out var request, out var answer, out var complaint))
        {
            losses.Report("malformed-frame", channel!, complaint);
            pending.TryEnd(request, ReplyMessage.Failure(
                StatusCode.HandlerFailed, $"The reply cannot be read. {Printable.Detail(complaint)}"));
        }
        else if (answer.RefusedGroups is null)
        {
            // When no request waits, the caller has had its 408 or its cancellation, or another group was faster.
            pending.TryEnd(request, answer.Reply);
        }
        else if (pending.Find(request) is { } waiting)
        {
            Settle(waiting, waiting.Refused(answer));
        }
    }

    /// <summary>The request is out, and PUBLISH has said that so many nodes hear it.</summary>
    public void Published(PendingReply waiting, long count)
    {
        if (!receivers.PublishCountsAll)
        {
            _ = PublishedInClusterAsync(waiting, count);
        }
        else if (count == 0)
        {
            waiting.TryEnd(ReplyMessage.NoHandler(waiting.Request.Topic));
        }
        else
        {
            Settle(waiting, waiting.Published(count));
        }
    }

    /// <summary>A node left these groups of a topic.</summary>
    public void Departed(string topic, IReadOnlyList<string> groups)
    {
        foreach (var waiting in pending.On(topic))
        {
            Settle(waiting, waiting.Departed(groups));
        }
    }

    private void Settle(PendingReply waiting, Standing standing)
    {
        switch (standing)
        {
            case Standing.Uncounted:
                _ = CountAsync(waiting);
                break;
            case Standing.RefusedByAll:
                _ = RefuseAsync(waiting);
                break;
            case Standing.Deserted:
                _ = TakeBackAsync(waiting, s_timeToClaim, waiting.Refusal ?? ReplyMessage.Failure(
                    StatusCode.Unavailable,
                    $"The node that handled '{waiting.Request.Topic}' has left before it took the request.",
                    notProcessed: true));
                break;
        }
    }

    // A count above zero proves a receiver, and zero proves nothing.
    private async Task PublishedInClusterAsync(PendingReply waiting, long count)
    {
        try
        {
            if (count > 0 || await receivers.CountAsync(waiting.Request.Topic).ConfigureAwait(false) > 0)
            {
                Settle(waiting, waiting.Published(null));
            }
            else
            {
                // The node that announced that topic has left, before the request or just after it: the claims tell, and no other node
                // needs them.
                await TakeBackAsync(waiting, TimeSpan.Zero, ReplyMessage.NoHandler(waiting.Request.Topic)).ConfigureAwait(false);
            }
        }
        catch (Exception failure) when (failure is RedisException or TimeoutException or ObjectDisposedException or TransportException)
        {
            // It cannot be excluded that a member is there, so the request waits for its answer or its deadline.
            RedisLog.CountFailed(logger, waiting.Request.Topic, Printable.Line(failure.Message));
        }
    }

    private async Task CountAsync(PendingReply waiting)
    {
        try
        {
            var count = await receivers.CountAsync(waiting.Request.Topic).ConfigureAwait(false);
            Settle(waiting, waiting.Published(count + waiting.Departures));
        }
        catch (Exception failure) when (failure is RedisException or TimeoutException or ObjectDisposedException or TransportException)
        {
            RedisLog.CountFailed(logger, waiting.Request.Topic, Printable.Line(failure.Message));
        }
    }

    // The claims say to those who refused that their group's copy is accounted for. And they prove it: two buses that share a
    // connection are one receiver to Redis, and the other one may have the request.
    private async Task RefuseAsync(PendingReply waiting)
    {
        if (await TryClaimAsync(waiting, waiting.GroupsGone).ConfigureAwait(false))
        {
            pending.TryEnd(waiting.Request.Id.Number, waiting.Refusal!);
        }
    }

    // Between its last message and Redis hearing that it left, a node was still counted as a receiver. The caller takes
    // the claims itself: when it gets them, no member has the request and none ever will. Those of every group that is known,
    // because a node that left may never have heard the request, and one of another group may be at it.
    private async Task TakeBackAsync(PendingReply waiting, TimeSpan timeToClaim, ReplyMessage outcome)
    {
        await Task.Delay(timeToClaim, context.Clock).ConfigureAwait(false);
        if (await TryListGroupsAsync(waiting.Request.Topic).ConfigureAwait(false) is { } announced
            && await TryClaimAsync(waiting, waiting.GroupsGone.Union(announced)).ConfigureAwait(false))
        {
            pending.TryEnd(waiting.Request.Id.Number, outcome);
        }
    }

    private async Task<IReadOnlyList<string>?> TryListGroupsAsync(Topic topic)
    {
        try
        {
            return await receivers.AnnouncedGroupsAsync(topic).ConfigureAwait(false);
        }
        catch (Exception failure) when (failure is RedisException or TimeoutException or ObjectDisposedException or TransportException)
        {
            RedisLog.CountFailed(logger, topic, Printable.Line(failure.Message));
            return null;
        }
    }

    private async Task<bool> TryClaimAsync(PendingReply waiting, IEnumerable<string> groups)
    {
        try
        {
            var taken = await Task.WhenAll(groups.Select(group => claims.CloseAsync(waiting.Request, group))).ConfigureAwait(false);
            return taken.All(t => t);
        }
        catch (Exception failure) when (failure is RedisException or TimeoutException or ObjectDisposedException or TransportException)
        {
            // A connection that is gone ends the request anyway.
            RedisLog.TakeBackFailed(logger, waiting.Request.Topic, Printable.Line(failure.Message));
            return false;
        }
    }
}
