using System.Runtime.CompilerServices;
using ServiceMesh.Links;

namespace ServiceMesh.Redis;

/// <summary>
/// A request's way to one member of each group of its topic, and to another member when it is known that the first one did not
/// handle it, or when the request may run twice. Stateless but for the directory; thread-safe.
/// </summary>
internal sealed class MemberRequests(MemberDirectory directory, RedisConnection connection, LossLog losses)
{
    /// <exception cref="OperationCanceledException">The token fired.</exception>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public async ValueTask<ReplyMessage> RequestAsync(Message request, CancellationToken cancellationToken)
    {
        if (!connection.IsUp)
        {
            return NotConnected();
        }

        var topic = request.Topic.ToString();
        var groups = directory.Requests(topic);
        if (groups.Length == 0)
        {
            if (await TryRefreshAsync(cancellationToken).ConfigureAwait(false) is { } failure)
            {
                return failure;
            }

            groups = directory.Requests(topic);
        }

        return groups.Length switch
        {
            0 => directory.Requests(topic).Length > 0 ? Away(request) : NoMember(request), // it may have come back just now
            1 => await AskAsync(request, groups[0], cancellationToken).ConfigureAwait(false),
            _ => await AskAllAsync(request, groups, cancellationToken).ConfigureAwait(false),
        };
    }

    /// <summary>One copy of a signal for one member of a group. Reports the loss when none takes it.</summary>
    public async Task SignalAsync(Message signal, MemberGroup group)
    {
        var reply = await AskAsync(signal, group, CancellationToken.None).ConfigureAwait(false);
        if (reply.Status.IsFailure)
        {
            losses.Report("refused", signal.Topic.ToString(), $"No member of group '{group.Name}' took the signal. {reply.Error}",
                reply.Status, signal.Sender);
        }
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<ReplyMessage> AskAsync(Message message, MemberGroup group, CancellationToken cancellationToken)
    {
        List<string>? tried = null;
        ReplyMessage? best = null;
        var mayRead = true;
        while (true)
        {
            if (group.Pick(tried) is not { } member)
            {
                // Full members are known well; for all others the directory may know more than this node.
                if (mayRead && best is not { Status: StatusCode.Overloaded })
                {
                    mayRead = false;
                    if (await TryRefreshAsync(cancellationToken).ConfigureAwait(false) is { } failure)
                    {
                        return best ?? failure;
                    }

                    group = GroupOf(message, group.Name);
                    if (group.Pick(tried) is not null)
                    {
                        continue;
                    }
                }

                return best is null or { Status: StatusCode.NotFound } ? NoMember(message) : best;
            }

            var answer = await member.Link.SendAsync(message, group.Name, cancellationToken).ConfigureAwait(false);
            switch (answer.Kind)
            {
                case AnswerKind.Reply:
                case AnswerKind.Refusal
                    when answer.Reply.Status is not (StatusCode.Overloaded or StatusCode.Unavailable or StatusCode.NotFound):
                    return Last(best, answer.Reply);
                case AnswerKind.NotSent when !connection.IsUp:
                    return Last(best, NotConnected());
                case AnswerKind.Lost when !message.IsRepeatable || !connection.IsUp || message.Deadline.HasPassed:
                    return answer.Reply;
                case AnswerKind.NoReceiver:
                    directory.Absent(member.Id);
                    break;
            }

            best = Better(best, answer.Reply);
            (tried ??= []).Add(member.Id);
        }
    }

    private async Task<ReplyMessage> AskAllAsync(Message request, MemberGroup[] groups, CancellationToken cancellationToken)
    {
        // The caller's token belongs to another request once the first answer is there, and the groups that answer later go on:
        // the request is theirs as well. So these have a source that is let go of with the answer.
        using var ofGroups = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var token = ofGroups.Token;
        var asking = Array.ConvertAll(groups, group => (Group: group.Name, Reply: AskAsync(request, group, token).AsTask()));
        var first = new TaskCompletionSource<ReplyMessage>(TaskCreationOptions.RunContinuationsAsynchronously);
        _ = CollectAsync(request, asking, first);
        return await first.Task.ConfigureAwait(false);
    }

    private async Task CollectAsync(Message request, (string Group, Task<ReplyMessage> Reply)[] asking,
        TaskCompletionSource<ReplyMessage> first)
    {
        ReplyMessage? best = null;
        var refused = new List<(string Group, ReplyMessage Reply)>();
        try
        {
            await foreach (var ended in Task.WhenEach(asking.Select(a => a.Reply)).ConfigureAwait(false))
            {
                var reply = await ended.ConfigureAwait(false);
                if (reply.NotProcessed)
                {
                    best = Better(best, reply);
                    refused.Add((asking.First(a => a.Reply == ended).Group, reply));
                }
                else
                {
                    first.TrySetResult(reply);
                }
            }

            if (!first.TrySetResult(best!))
            {
                // Another group answers, so the caller will not hear that these did not get their copy.
                foreach (var (group, reply) in refused)
                {
                    losses.Report("refused", request.Topic.ToString(), $"Group '{group}' did not take the request. {reply.Error}",
                        reply.Status, request.Sender);
                }
            }
        }
        catch (OperationCanceledException cancelled)
        {
            first.TrySetException(cancelled);
        }
    }

    private MemberGroup GroupOf(Message message, string name)
    {
        var groups = message.Kind == MessageKind.Request ? directory.Requests(message.Topic.ToString())
            : directory.SignalGroups(message.Topic);
        return Array.Find(groups, g => g.Name == name) ?? new(name, [], Random.Shared);
    }

    private async Task<ReplyMessage?> TryRefreshAsync(CancellationToken cancellationToken)
    {
        try
        {
            await directory.RefreshAsync().WaitAsync(cancellationToken).ConfigureAwait(false);
            return null;
        }
        catch (Exception failure) when (RedisConnection.IsOfRedis(failure))
        {
            return ReplyMessage.Failure(
                StatusCode.Unavailable, $"Redis did not say who handles the topic: {Printable.Line(failure.Message)}", notProcessed: true);
        }
    }

    private ReplyMessage NoMember(Message message) => message.Kind == MessageKind.Request && directory.IsAwayFor(message.Topic)
        ? Away(message)
        : ReplyMessage.NoHandler(message.Topic);

    private static ReplyMessage Away(Message message) => ReplyMessage.Failure(
        StatusCode.Unavailable, $"The nodes that handle '{message.Topic}' cannot be reached at the moment. Try again.", notProcessed: true);

    private ReplyMessage NotConnected() => ReplyMessage.Failure(StatusCode.Unavailable, connection.Absence, notProcessed: true);

    // A member that did not take a repeatable request does not deny that one before it may have run it.
    private static ReplyMessage Last(ReplyMessage? best, ReplyMessage reply) =>
        reply.NotProcessed && best is { NotProcessed: false } ? best : reply;

    // What is most worth knowing: an unknown outcome, then full, then anything else that a member said.
    private static ReplyMessage Better(ReplyMessage? one, ReplyMessage other) =>
        one is null || Rank(other) >= Rank(one) ? other : one;

    private static int Rank(ReplyMessage reply) => !reply.NotProcessed ? 3 : reply.Status switch
    {
        StatusCode.Overloaded => 2,
        StatusCode.NotFound => 0,
        _ => 1,
    };
}
