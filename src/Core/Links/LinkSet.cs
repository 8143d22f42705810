using System.Collections.Concurrent;

namespace ServiceMesh.Links;

/// <summary>
/// The links of one node: one to each other node, made when it is first needed. What arrives from all of them is taken apart
/// here and goes to the link that waits for it, or to the handlers of this node. Thread-safe; packets of one sender are to be
/// given in their order.
/// </summary>
internal sealed class LinkSet
{
    /// <summary>The stamp of a ping that is a beat: it is not answered.</summary>
    public const long BeatStamp = -1;

    // A node of another version is told so this often.
    private static readonly TimeSpan s_betweenRefusals = TimeSpan.FromSeconds(5);

    private readonly ConcurrentDictionary<string, Link> _links = new();
    private readonly ConcurrentDictionary<string, long> _refusedVersions = new();
    private readonly TextPool _texts = new();
    private readonly DuplicateFilter _duplicates = new();
    private readonly Func<string, FrameWrite> _writeTo;
    private readonly LinkOptions _options;
    private readonly TimeProvider _clock;
    private readonly byte[] _preamble;
    private readonly byte[] _versionRefusal;
    private readonly FrameReceiver _receiver;
    private long _lastId;

    /// <param name="nodeId">This node.</param>
    /// <param name="writeTo">Makes the mover of bytes to a node.</param>
    /// <param name="options">The bounds.</param>
    /// <param name="clock">This node's clock.</param>
    /// <param name="sharedClock">The clock of deadlines.</param>
    public LinkSet(string nodeId, Func<string, FrameWrite> writeTo, LinkOptions options, TimeProvider clock, SharedClock sharedClock)
    {
        (NodeId, _writeTo, _options, _clock, SharedClock) = (nodeId, writeTo, options, clock, sharedClock);
        _preamble = FrameWriter.Preamble(nodeId);
        _versionRefusal = FrameWriter.Preamble(nodeId, refusesVersion: true);
        _receiver = new(nodeId, sharedClock)
        {
            LinkTo = To,
            Offer = Offer,
            OnLoss = loss => OnLoss!(loss),
            Duplicates = _duplicates,
        };
    }

    public string NodeId { get; }

    public SharedClock SharedClock { get; }

    /// <summary>What runs here for other nodes.</summary>
    public RunningDeliveries Running => _receiver.Running;

    /// <summary>The handlers of requests.</summary>
    public SubscriptionTable Requests { get; } = new();

    /// <summary>The handlers of signals that are in groups.</summary>
    public SubscriptionTable SignalGroups { get; } = new();

    /// <summary>Is told of each loss.</summary>
    public required Action<LinkLoss> OnLoss { get; init; }

    /// <summary>A ping that this node sent to itself came back, with its number: the node hears.</summary>
    public Action<long>? OnBeat { get; set; }

    /// <summary>Another node has taken over this node's change of the directory with that number.</summary>
    public Action<string, long>? OnApplied { get; set; }

    /// <summary>Another node is taken for dead, with the reason.</summary>
    public Action<string, string>? OnDead { get; set; }

    /// <summary>Another node speaks another version.</summary>
    public Action<string, byte>? OnOtherVersion { get; set; }

    /// <summary>The other nodes to which there is a link.</summary>
    public int Count => _links.Count;

    /// <summary>The requests that wait for an answer.</summary>
    public int Outstanding => _links.Values.Sum(link => link.Outstanding);

    /// <summary>The frames that wait to be written.</summary>
    public int Depth => _links.Values.Sum(link => link.Depth);

    /// <summary>The link to a node.</summary>
    public Link To(string peer)
    {
        if (_links.TryGetValue(peer, out var link))
        {
            return link;
        }

        // Ids of a link that is made again must lie above those of the one before.
        link = new(peer, Interlocked.Read(ref _lastId), _preamble, _writeTo(peer), _options, _clock, SharedClock)
        {
            OnDead = (dead, reason) => OnDead?.Invoke(dead.Peer, reason),
        };
        return _links.GetOrAdd(peer, link);
    }

    /// <summary>The link to a node, when there is one.</summary>
    public Link? Find(string peer) => _links.GetValueOrDefault(peer);

    /// <summary>A packet arrived: a preamble and whole frames. Nothing in it can make this throw.</summary>
    public void Hear(ReadOnlyMemory<byte> packet)
    {
        var fault = FrameReader.ReadPreamble(packet.Span, _texts, out var preamble);
        if (fault == FrameFault.OtherVersion)
        {
            HearOtherVersion(preamble);
        }
        else if (fault != FrameFault.None)
        {
            Lose(fault, FrameKind.None, "unknown", $"A packet of {packet.Length} bytes was skipped.");
        }
        else if (preamble.RefusesVersion)
        {
            // It speaks our version and says that it does not: nothing can be concluded from that.
            Lose(FrameFault.OtherVersion, FrameKind.None, preamble.Sender, "The node refuses the version that it has itself.");
        }
        else
        {
            HearFrames(preamble.Sender, packet[preamble.Length..]);
        }
    }

    /// <summary>
    /// A packet that this node publishes for itself to learn whether it hears; <see cref="OnBeat"/> is called
    /// when it arrives.
    /// </summary>
    public byte[] Beat(long number)
    {
        using var packet = new FrameBuffer();
        packet.Raw(_preamble);
        FrameWriter.Ping(packet, number, BeatStamp);
        return packet.Written.ToArray();
    }

    /// <summary>
    /// Sends the replies again that could not be sent while the connection was away. Called when it is back, and
    /// by <see cref="Tick"/>.
    /// </summary>
    public void ResendReplies() => _receiver.ResendReplies();

    /// <summary>To be called a few times a second.</summary>
    /// <param name="canHear">False while this node itself is deaf.</param>
    /// <param name="isKnown">Whether a node is still there: idle links to others are let go.</param>
    public void Tick(bool canHear, Func<string, bool> isKnown)
    {
        if (canHear)
        {
            ResendReplies();
        }

        foreach (var (peer, link) in _links)
        {
            link.Tick(canHear);
            if (link.IsIdle && !isKnown(peer) && _links.TryRemove(KeyValuePair.Create(peer, link)))
            {
                RaiseLastId(link.LastId);
                _duplicates.Forget(peer);
                _ = link.CloseAsync($"Node '{peer}' has left.");
            }
        }
    }

    /// <summary>Ends everything that waits for other nodes.</summary>
    /// <returns>How many requests ended.</returns>
    public int EndAll(string reason) => _links.Values.Sum(link => link.EndAll(reason));

    /// <summary>
    /// A node has left: what runs for it is cancelled. What it owes may still be on its way; when nothing comes, its link ends
    /// it as that of a dead node.
    /// </summary>
    public void Departed(string peer) => Running.Departed(peer);

    /// <summary>Ends when nothing waits to be written. For the replies of what still runs, wait for <see cref="Running"/> first.</summary>
    public Task FlushAsync() => Task.WhenAll(_links.Values.Select(link => link.FlushAsync()));

    /// <summary>Ends all links.</summary>
    public Task CloseAsync(string reason) => Task.WhenAll(_links.Values.Select(link => link.CloseAsync(reason)));

    private void HearFrames(string sender, ReadOnlyMemory<byte> bytes)
    {
        Find(sender)?.HearAnything();
        while (!bytes.IsEmpty)
        {
            switch (FrameReader.Read(bytes, bytes.Length, _texts, out var frame, out var consumed, out var fault))
            {
                case FrameStatus.Read:
                    HearFrame(sender, in frame);
                    break;
                case FrameStatus.Skipped:
                    Skip(sender, in frame, fault);
                    break;
                default:
                    Lose(
                        fault == FrameFault.None ? FrameFault.WrongLength : fault, FrameKind.None, sender,
                        $"{bytes.Length} bytes behind it cannot be read.");
                    return;
            }

            bytes = bytes[consumed..];
        }
    }

    private void HearFrame(string sender, in Frame frame)
    {
        switch (frame.Kind)
        {
            case FrameKind.Ping when sender == NodeId && frame.Stamp == BeatStamp:
                OnBeat?.Invoke(frame.Id);
                break;
            case FrameKind.Applied:
                OnApplied?.Invoke(sender, frame.Id);
                break;
            default:
                if (!_receiver.Hear(sender, sender, in frame))
                {
                    // What nothing waits for is late: its caller has had its 408, its cancellation or another answer.
                    Find(sender)?.Hear(in frame);
                }

                break;
        }
    }

    private Delivery? Offer(Message message, string group)
    {
        foreach (var candidate in (message.Kind == MessageKind.Request ? Requests : SignalGroups).Match(message.Topic).Groups)
        {
            if (candidate.Name == group)
            {
                return candidate.Offer(message);
            }
        }

        return null;
    }

    // A request that cannot be read is refused, and an answer that cannot be read ends its request: no caller waits for its deadline.
    private void Skip(string sender, in Frame frame, FrameFault fault)
    {
        Lose(fault, frame.Kind, sender, "The frame was skipped.");
        if (frame is { Kind: FrameKind.Reply or FrameKind.Refusal, Id: > 0 })
        {
            Find(sender)?.HearUnreadable(frame.Id, fault);
            return;
        }

        _receiver.HearUnreadable(sender, in frame, fault);
    }

    private void HearOtherVersion(Preamble preamble)
    {
        var detail = $"Node '{preamble.Sender}' speaks version {preamble.Version} of the frames; this node speaks {WireFormat.Version}. "
            + "They exchange no messages until both run the same version.";
        OnLoss(new(nameof(FrameFault.OtherVersion), preamble.Sender, "version", detail));
        OnOtherVersion?.Invoke(preamble.Sender, preamble.Version);
        if (preamble.RefusesVersion)
        {
            Find(preamble.Sender)?.EndUnread(detail);
            return;
        }

        var now = _clock.GetTimestamp();
        var last = _refusedVersions.GetOrAdd(preamble.Sender, long.MinValue);
        if ((last == long.MinValue || _clock.GetElapsedTime(last, now) >= s_betweenRefusals) && _refusedVersions.Count < 1024)
        {
            _refusedVersions[preamble.Sender] = now;
            _ = RefuseVersionAsync(preamble.Sender);
        }
    }

    private async Task RefuseVersionAsync(string peer)
    {
        try
        {
            await _writeTo(peer)(_versionRefusal, CancellationToken.None)
                .AsTask().WaitAsync(_options.WriteTimeout, _clock)
                .ConfigureAwait(false);
        }
        catch (Exception failure)
        {
            OnLoss(new(
                "not-written", peer, "version",
                $"The refusal of the other version could not be sent: {ExceptionText.Brief(failure)}"));
        }
    }

    private void Lose(FrameFault fault, FrameKind kind, string sender, string detail) =>
        OnLoss(new("malformed-frame", sender, kind == FrameKind.None ? "packet" : kind.ToString(), $"{fault}: {detail}"));

    private void RaiseLastId(long id)
    {
        for (var last = Interlocked.Read(ref _lastId); id > last; last = Interlocked.Read(ref _lastId))
        {
            Interlocked.CompareExchange(ref _lastId, id, last);
        }
    }
}
