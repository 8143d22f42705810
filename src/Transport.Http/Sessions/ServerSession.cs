using System.Diagnostics.CodeAnalysis;
using Microsoft.AspNetCore.Http;
using ServiceMesh.Links;

namespace ServiceMesh.Http;

/// <summary>
/// A session that another node opened with this one: its messages arrive in the body of the request, and the answers leave in that of
/// the response. Thread-safe.
/// </summary>
[SuppressMessage("Design", "CA1001", Justification = "RunAsync disposes what it uses when the session has ended.")]
internal sealed class ServerSession
{
    private static readonly TimeSpan s_look = TimeSpan.FromMilliseconds(20);

    private readonly HttpContext _http;
    private readonly FrameReceiver _receiver;
    private readonly HttpNode _node;
    private readonly TransportContext _context;
    private readonly CancellationTokenSource _lifetime;
    private readonly FrameSink _sink;
    private readonly DateTimeOffset? _expires;
    private readonly Action<LinkLoss> _onLoss;
    private volatile bool _isOpen;
    private string? _why;
    private int _hasLeft;

    /// <param name="key">Names the session among those of this node.</param>
    /// <param name="sender">The node that opened it.</param>
    /// <param name="http">The request that opened it.</param>
    /// <param name="caller">Who opened it.</param>
    /// <param name="receiver">Takes the messages.</param>
    /// <param name="node">This node.</param>
    /// <param name="options">The bounds of the link.</param>
    /// <param name="maxReplyBytes">The largest body of a reply that the caller accepts.</param>
    /// <param name="expires">When the authentication of the request ends; null for never.</param>
    /// <param name="onLoss">Is told of each loss.</param>
    public ServerSession(
        string key, string sender, HttpContext http, HttpCaller caller, FrameReceiver receiver, HttpNode node, LinkOptions options,
        int maxReplyBytes, DateTimeOffset? expires, Action<LinkLoss> onLoss)
    {
        (Key, Sender, Caller, _http, _receiver, _context) = (key, sender, caller, http, receiver, node.Context);
        (_node, _expires, _onLoss) = (node, expires, onLoss);
        _lifetime = CancellationTokenSource.CreateLinkedTokenSource(http.RequestAborted);
        _sink = new(http.Response.Body, mustFlush: false, Break, _lifetime.Token);
        Link = new(sender, 0, [], (frames, _) => _sink.WriteAsync(frames), options, node.Context.Clock, node.Clock)
        {
            MaxReplyBytes = maxReplyBytes,
            OnDead = (_, reason) => Break(reason),
        };
    }

    public string Key { get; }

    /// <summary>The node that opened it.</summary>
    public string Sender { get; }

    /// <summary>Who opened it: the caller of each of its messages.</summary>
    public HttpCaller Caller { get; }

    /// <summary>Where the answers go.</summary>
    public Link Link { get; }

    /// <summary>Answers until the other node ends the session, or it breaks. Never throws.</summary>
    /// <param name="preamble">What the answer begins with.</param>
    /// <param name="frames">What has arrived behind the preamble of the request.</param>
    /// <returns>Why it ended; null when the other node ended it in good order.</returns>
    [SuppressMessage("Design", "CA1031", Justification = "Whatever ends the session, its owner is told why and goes on.")]
    public async Task<string?> RunAsync(ReadOnlyMemory<byte> preamble, FrameStream frames)
    {
        try
        {
            await _http.Response.Body.WriteAsync(preamble, _lifetime.Token).ConfigureAwait(false);
            await _http.Response.Body.FlushAsync(_lifetime.Token).ConfigureAwait(false);
            _isOpen = true;
            if (Volatile.Read(ref _hasLeft) != 0)
            {
                Link.Leave(); // it was asked to before
            }

            var body = _http.Request.Body;
            int count;
            do
            {
                HearAll(frames);
                count = await body.ReadAsync(frames.Room(), _lifetime.Token).ConfigureAwait(false);
                frames.Filled(count);
            }
            while (count > 0);

            await AnswerTheRestAsync().ConfigureAwait(false);
        }
        catch (Exception failure)
        {
            Interlocked.CompareExchange(ref _why, ExceptionText.Brief(failure), null);
        }

        var why = Volatile.Read(ref _why);
        _receiver.Running.Departed(Key);
        await Link.CloseAsync($"The session with node '{Sender}' ended: {why ?? "the node ended it"}.").ConfigureAwait(false);
        if (why is not null)
        {
            _http.Abort();
        }

        _lifetime.Dispose();
        return why;
    }

    /// <summary>To be called a few times a second: asks the node whether it lives, and ends what is not authenticated any longer.</summary>
    public void Tick()
    {
        if (!_isOpen)
        {
            return;
        }

        Link.Tick(canHear: Volatile.Read(ref _hasLeft) != 2); // a node that has ended its half answers no ping
        if (Expires is not { } end || _context.Clock.GetUtcNow() < end)
        {
            return;
        }

        Leave();
        if (_context.Clock.GetUtcNow() - end >= SessionProtocol.RunLimit + SessionProtocol.LeaveLimit)
        {
            Break("its authentication has expired, and the node did not end it");
        }
    }

    /// <summary>Asks the other node to end the session, after the answers that are ready.</summary>
    public void Leave()
    {
        // A frame must not come before the preamble. Where both sides of the race send it, the other node ignores the second one.
        if (Interlocked.CompareExchange(ref _hasLeft, 1, 0) == 0 && _isOpen)
        {
            Link.Leave();
        }
    }

    /// <summary>Ends the session at once; what runs for it is cancelled.</summary>
    public void Break(string why)
    {
        Interlocked.CompareExchange(ref _why, why, null);
        try
        {
            _ = _lifetime.CancelAsync();
        }
        catch (ObjectDisposedException)
        {
            // It has ended already.
        }
    }

    private void HearAll(FrameStream frames)
    {
        while (true)
        {
            switch (frames.TryTake(out var frame, out var fault))
            {
                case FrameStatus.Read:
                    Link.HearAnything();
                    Hear(in frame);
                    break;
                case FrameStatus.Skipped:
                    _onLoss(new("malformed-frame", Sender, frame.Kind.ToString(), $"{fault}: The frame was skipped."));
                    _receiver.HearUnreadable(Key, in frame, fault);
                    break;
                case FrameStatus.Broken:
                    throw new IOException($"what the node sent cannot be read ({fault})");
                default:
                    return;
            }
        }
    }

    // The authentication of the request, or of the first policy of a topic whose own scheme authenticated the caller.
    private DateTimeOffset? Expires => Caller.Expires is { } ofPolicy && !(ofPolicy >= _expires) ? ofPolicy : _expires;

    private void Hear(in Frame frame)
    {
        if (frame.Kind is FrameKind.Request or FrameKind.Signal && Expires is { } end && _context.Clock.GetUtcNow() >= end)
        {
            Refuse(in frame);
        }
        else if (frame.Kind == FrameKind.Pong)
        {
            Link.Hear(in frame);
        }
        else if (frame.Kind is FrameKind.Reply or FrameKind.Refusal
            || !_receiver.Hear(Key, Sender, in frame, _node.CallerOfMessage(Caller)))
        {
            _onLoss(new(
                "unexpected-frame", Sender, frame.Kind.ToString(), "The node that calls sent what only a node that answers sends."));
        }
    }

    // The caller sends it again by exchange, with the token that it has now.
    private void Refuse(in Frame frame)
    {
        var refusal = ReplyMessage.Failure(
            StatusCode.Unauthorized, "The authentication of the session has expired. Use an exchange, or open another session.",
            notProcessed: true);
        if (!Link.Refuse(frame.Id, refusal, load: 0))
        {
            _onLoss(new("outbox-full", Sender, "refusal", $"Too many frames wait for node '{Sender}'."));
        }
    }

    // The other node has ended its half: what it has asked for is answered, within a bound. A node that stops has a shorter one.
    private async Task AnswerTheRestAsync()
    {
        Volatile.Write(ref _hasLeft, 2);
        var since = _context.Clock.GetTimestamp();
        while (_receiver.Running.ContainsAny(Key) && _context.Clock.GetElapsedTime(since) < SessionProtocol.RunLimit)
        {
            await Task.Delay(s_look, _context.Clock, _lifetime.Token).ConfigureAwait(false);
        }

        await Link.FlushAsync().WaitAsync(SessionProtocol.LeaveLimit, _context.Clock, _lifetime.Token).ConfigureAwait(false);
    }
}
