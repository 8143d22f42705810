using System.Collections.Concurrent;

namespace ServiceMesh.Links;

/// <summary>
/// What other nodes want of this one: their requests and signals go to the handlers here, their cancellations to what runs for
/// them, and their pings are answered. Thread-safe; the frames of one peer are to be given in their order.
/// </summary>
/// <param name="nodeId">This node.</param>
/// <param name="clock">The clock of deadlines.</param>
internal sealed class FrameReceiver(string nodeId, SharedClock clock)
{
    // Replies that did not leave are kept for the next attempt up to this number.
    private const int MaxUnsent = 4096;
    private const int MaxAttempts = 20;

    private static readonly ReplyMessage s_accepted = new() { Status = StatusCode.Ok };

    private readonly ConcurrentDictionary<(string Peer, long Id), UnsentReply> _unsent = new();
    private RunningDeliveries? _running;

    /// <summary>What runs here for other nodes.</summary>
    public RunningDeliveries Running => Volatile.Read(ref _running) ?? MakeRunning();

    /// <summary>The link to a peer, for the answers; null when it is gone, and answers with it.</summary>
    public required Func<string, Link?> LinkTo { get; init; }

    /// <summary>
    /// Offers a request, or the copy of a signal for a group, to one member of a group; null if this node has no such group.
    /// </summary>
    public required Func<Message, string, Delivery?> Offer { get; init; }

    /// <summary>
    /// Delivers a signal to a group, or to each individual when the group is empty, in place of <see cref="Offer"/>. Null where signals to
    /// individuals do not come over links.
    /// </summary>
    public Func<Message, string, ValueTask<SignalOutcome>>? Deliver { get; init; }

    /// <summary>Is told of each loss.</summary>
    public required Action<LinkLoss> OnLoss { get; init; }

    /// <summary>
    /// How busy this node is with a topic, or with all of them when it is null; null for the number of messages that run and wait.
    /// </summary>
    public Func<Topic?, int>? LoadOf { get; init; }

    /// <summary>Refuses what arrives twice; null where the link itself does.</summary>
    public DuplicateFilter? Duplicates { get; init; }

    /// <summary>A frame of a peer that is not an answer. False when it is one, so that the link of the peer is to hear it.</summary>
    /// <param name="peer">Names the link.</param>
    /// <param name="sender">The id of the node at its other end.</param>
    /// <param name="frame">The frame.</param>
    /// <param name="caller">Who opened the link, where the transport has authenticated that.</param>
    public bool Hear(string peer, string sender, in Frame frame, IMessageCaller? caller = null)
    {
        switch (frame.Kind)
        {
            case FrameKind.Request or FrameKind.Signal:
                Take(peer, sender, in frame, caller);
                return true;
            case FrameKind.Cancel:
                Running.Cancel(peer, frame.Id);
                return true;
            case FrameKind.Ping:
                LinkTo(peer)?.Pong(
                    frame.Id, frame.Stamp, Load(null),
                    isNotHere: frame.IsAboutRequest && !Running.Contains(peer, frame.Id) && !_unsent.ContainsKey((peer, frame.Id)));
                return true;
            default:
                return false;
        }
    }

    /// <summary>A request or signal that cannot be read: it is refused, so that no caller waits for its deadline.</summary>
    public void HearUnreadable(string peer, in Frame frame, FrameFault fault)
    {
        if (frame is { Kind: FrameKind.Request or FrameKind.Signal, Id: > 0 } && Duplicates?.IsNew(peer, frame.Id) != false)
        {
            Refuse(peer, frame.Id, ReplyMessage.Failure(
                StatusCode.BadRequest, $"Node '{nodeId}' could not read the frame ({fault}).", notProcessed: true));
        }
    }

    /// <summary>Sends the replies again that could not be sent. Called when the connection is back, and a few times a second.</summary>
    public void ResendReplies()
    {
        foreach (var (key, unsent) in _unsent)
        {
            if (unsent.IsWaiting && _unsent.TryGetValue(key, out var same) && same == unsent)
            {
                unsent.Send();
            }
        }
    }

    private RunningDeliveries MakeRunning()
    {
        var made = new RunningDeliveries((running, reply) => new UnsentReply(this, running, reply).Send());
        return Interlocked.CompareExchange(ref _running, made, null) ?? made;
    }

    private void Take(string peer, string sender, in Frame frame, IMessageCaller? caller)
    {
        if (Duplicates?.IsNew(peer, frame.Id) == false)
        {
            // Not answered: the answer of the first one counts.
            OnLoss(new(
                "duplicate", sender, frame.Topic.ToString(),
                "A frame arrived twice, or after its sender had given it up. It was not handled again."));
            return;
        }

        var isRequest = frame.Kind == FrameKind.Request;
        var message = new Message
        {
            Id = new(sender, frame.Number),
            Kind = isRequest ? MessageKind.Request : MessageKind.Signal,
            Topic = frame.Topic,
            Headers = frame.Headers,
            ContentType = frame.ContentType,
            Body = frame.Body,
            Deadline = clock.Judge(frame.Deadline),
            Caller = caller,
        };
        if (!isRequest && Deliver is not null)
        {
            var delivering = Deliver(message, frame.Group);
            if (delivering.IsCompletedSuccessfully)
            {
                End(peer, frame.Id, frame.Topic, delivering.Result);
            }
            else
            {
                _ = EndAsync(peer, frame.Id, frame.Topic, delivering.AsTask());
            }

            return;
        }

        switch (Offer(message, frame.Group))
        {
            case null:
                Refuse(peer, frame.Id, NoHandler(in frame), frame.Topic);
                break;
            case { IsAccepted: false } delivery:
                Refuse(peer, frame.Id, delivery.Refusal!, frame.Topic);
                break;
            case var delivery when isRequest:
                Running.TryStart(peer, frame.Id, delivery);
                break;
            case var delivery:
                Accept(peer, frame.Id, frame.Topic, s_accepted);
                ThreadPool.UnsafeQueueUserWorkItem(static accepted => Run(accepted), delivery, preferLocal: false);
                break;
        }
    }

    // RunAsync never throws and reports the failures of signals itself.
    private static async void Run(Delivery signal) => await signal.RunAsync().ConfigureAwait(false);

    private async Task EndAsync(string peer, long id, Topic topic, Task<SignalOutcome> delivering)
    {
        SignalOutcome outcome;
        try
        {
            outcome = await delivering.ConfigureAwait(false);
        }
        catch (Exception failure)
        {
            // Policies of the application decide who may send it, and may throw.
            OnLoss(new("not-delivered", peer, topic.ToString(), ExceptionText.Brief(failure)));
            outcome = new(0, ReplyMessage.Failure(StatusCode.HandlerFailed, $"Node '{nodeId}' could not deliver the signal.", true));
        }

        End(peer, id, topic, outcome);
    }

    private void End(string peer, long id, Topic topic, SignalOutcome outcome)
    {
        if (outcome.Refusal is { } refusal)
        {
            Refuse(peer, id, refusal, topic);
        }
        else
        {
            Accept(peer, id, topic, SignalCount.Write(outcome.Receivers));
        }
    }

    private ReplyMessage NoHandler(in Frame frame) => frame.Group.Length == 0 ? ReplyMessage.NoHandler(frame.Topic) : ReplyMessage.Failure(
        StatusCode.NotFound, $"Node '{nodeId}' has no handler of '{frame.Topic}' in group '{frame.Group}'.", notProcessed: true);

    private int Load(Topic? topic) => LoadOf is null ? Running.Count : LoadOf(topic);

    private void Accept(string peer, long id, Topic topic, ReplyMessage accepted) =>
        LinkTo(peer)?.Answer(id, accepted, Load(topic), gather: Running.Count > 1);

    private void Refuse(string peer, long id, ReplyMessage refusal, Topic? topic = null)
    {
        if (LinkTo(peer)?.Refuse(id, refusal, Load(topic)) == false)
        {
            OnLoss(new("outbox-full", peer, "refusal", $"Too many frames wait for node '{peer}'."));
        }
    }

    /// <summary>
    /// A reply on its way: when it did not leave, or may not have left, it is sent again. A caller that has it already ignores
    /// the second one. When the caller's inbox has no receiver, the caller has ended its requests by itself.
    /// </summary>
    private sealed class UnsentReply(FrameReceiver receiver, RunningDelivery running, ReplyMessage reply) : IFrameSender
    {
        private int _attempts;

        public volatile bool IsWaiting;

        private (string, long) Key => (running.Sender, running.Id);

        private Topic Topic => running.Delivery.Message.Topic;

        public void Send()
        {
            IsWaiting = false;
            _attempts++;
            if (receiver.LinkTo(running.Sender) is not { } link)
            {
                receiver._unsent.TryRemove(Key, out _);
            }
            else if (!link.Answer(running.Id, reply, receiver.Load(Topic), gather: receiver.Running.Count > 1, this))
            {
                Keep($"Too many frames wait for node '{running.Sender}'.");
            }
        }

        public void OnSent(WriteOutcome outcome)
        {
            if (outcome.Result is WriteResult.NotWritten or WriteResult.Unknown)
            {
                Keep(outcome.Reason!);
                return;
            }

            if (_attempts > 1)
            {
                receiver._unsent.TryRemove(Key, out _);
            }

            if (outcome.Result == WriteResult.NoReceiver)
            {
                Lose(outcome.Reason!);
            }
        }

        private void Keep(string reason)
        {
            if (_attempts >= MaxAttempts || running.Delivery.Message.Deadline.HasPassed || receiver._unsent.Count >= MaxUnsent)
            {
                receiver._unsent.TryRemove(Key, out _);
                Lose(reason);
                return;
            }

            IsWaiting = true;
            receiver._unsent[Key] = this;
        }

        private void Lose(string reason) => receiver.OnLoss(new("reply-not-written", running.Sender, Topic.ToString(), reason));
    }
}
