using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using ServiceMesh.Links;

namespace ServiceMesh.Http;

/// <summary>
/// A session that this node opened: its requests and signals leave in the body of one POST, and the answers come back in the body of
/// the response. Thread-safe.
/// </summary>
[SuppressMessage("Design", "CA1001", Justification = "RunAsync disposes what it uses when the session has ended.")]
internal sealed class ClientSession
{
    private const int MaxRefusalBytes = 4096;

    private readonly SessionSlot _slot;
    private readonly string _peer;
    private readonly BufferedClient _client;
    private readonly TransportContext _context;
    private readonly CancellationTokenSource _lifetime = new();
    private readonly SessionContent _content;
    private readonly Link _link;
    private readonly Action<LinkLoss> _onLoss;
    private FrameSink? _sink;
    private volatile bool _isUp;
    private string? _why;
    private long _openedAt;
    private long _sealedAt;
    private long _lastUse;
    private long _lastId;

    /// <param name="slot">The endpoint.</param>
    /// <param name="peer">The id of the node at the endpoint.</param>
    /// <param name="client">Makes the request.</param>
    /// <param name="context">This node.</param>
    /// <param name="options">The bounds of the link.</param>
    /// <param name="onLoss">Is told of each loss.</param>
    public ClientSession(
        SessionSlot slot, string peer, BufferedClient client, TransportContext context, LinkOptions options, Action<LinkLoss> onLoss)
    {
        (_slot, _peer, _client, _context, _onLoss) = (slot, peer, client, context, onLoss);
        _content = new(FrameWriter.Preamble(context.NodeId));
        _link = new(peer, 0, [], (frames, _) => _sink!.WriteAsync(frames), options, context.Clock, new(context.Clock))
        {
            OnDead = (_, reason) => Break(reason),
        };
        _openedAt = _lastUse = context.Clock.GetTimestamp();
    }

    /// <summary>Whether messages may be sent.</summary>
    public bool IsUp => _isUp;

    /// <summary>The node at the other end.</summary>
    public string Peer => _peer;

    /// <summary>Why it ended or ends; null while it does not.</summary>
    public string? Why => Volatile.Read(ref _why)?.TrimEnd('.');

    /// <summary>How long it has been open; zero if it was not opened.</summary>
    public TimeSpan Age { get; private set; }

    /// <summary>The frames that wait to be written.</summary>
    public int Depth => _link.Depth;

    /// <summary>Sends a message, and waits for what becomes of it. See <see cref="Link.SendAsync"/>.</summary>
    /// <exception cref="OperationCanceledException">The token fired.</exception>
    public ValueTask<LinkAnswer> SendAsync(Message message, string group, CancellationToken cancellationToken) =>
        _link.SendAsync(message, group, cancellationToken);

    /// <summary>Opens the session and keeps it until it ends. Never throws.</summary>
    /// <param name="connections">The connection of this session alone.</param>
    /// <param name="openingLimit">How long the node may take to answer, connection included.</param>
    /// <param name="opened">Called when messages may be sent.</param>
    /// <returns>Why it ended, for people.</returns>
    [SuppressMessage("Design", "CA1031", Justification = "Whatever ends the session, its owner is told why and goes on.")]
    public async Task<string> RunAsync(ConnectionPool connections, TimeSpan openingLimit, Action opened)
    {
        HttpResponseMessage? response = null;
        using var request = _client.Make(_slot.Target, HttpMethod.Post, _slot.Uri, "", default);
        try
        {
            var frames = new FrameStream(SessionProtocol.MaxAnswerFrameBytes(_context.MaxBodyBytes));
            Stream answers;
            using (var timer = new CancellationTokenSource(openingLimit, _context.Clock))
            using (timer.Token.UnsafeRegister(self => ((ClientSession)self!).Break(
                string.Create(CultureInfo.InvariantCulture, $"it was not opened within {openingLimit.TotalSeconds:0.#} s")), this))
            {
                response = await PostAsync(request, connections).ConfigureAwait(false);
                await CheckAsync(response).ConfigureAwait(false);
                answers = await response.Content.ReadAsStreamAsync(_lifetime.Token).ConfigureAwait(false);
                await ReadPreambleAsync(answers, frames).ConfigureAwait(false);
                var stream = await _content.Opened.WaitAsync(_lifetime.Token).ConfigureAwait(false);
                _sink = new(stream, mustFlush: true, Break, _lifetime.Token);
            }

            _openedAt = _context.Clock.GetTimestamp();
            _isUp = true;
            _link.Ping();
            opened();
            do
            {
                HearAll(frames);
            }
            while (await FillAsync(answers, frames).ConfigureAwait(false));

            Interlocked.CompareExchange(ref _why, "the node ended it", null);
        }
        catch (Exception failure)
        {
            Interlocked.CompareExchange(ref _why, ExceptionText.Brief(failure), null);
        }

        Age = _sink is null ? TimeSpan.Zero : _context.Clock.GetElapsedTime(_openedAt);
        await EndAsync(_why!).ConfigureAwait(false);
        response?.Dispose();
        _lifetime.Dispose();
        return _why!;
    }

    /// <summary>To be called a few times a second: asks the node whether it lives, and ends a session that is not used.</summary>
    public void Tick(TimeSpan maxIdle)
    {
        if (_sink is null)
        {
            return;
        }

        _link.Tick(canHear: true);
        var now = _context.Clock.GetTimestamp();
        var lastId = _link.LastId;
        if (lastId != _lastId || !_link.IsIdle)
        {
            (_lastId, _lastUse) = (lastId, now);
        }

        var sealedAt = Volatile.Read(ref _sealedAt);
        if (sealedAt == 0 && maxIdle > TimeSpan.Zero && _context.Clock.GetElapsedTime(_lastUse, now) >= maxIdle)
        {
            Leave("it was not used");
        }
        else if (sealedAt != 0 && _context.Clock.GetElapsedTime(sealedAt, now) >= MaxLeaving)
        {
            Break("the node did not end it in time");
        }
    }

    // A node that stops cuts off what runs sooner, by itself.
    private TimeSpan MaxLeaving =>
        (_link.Outstanding > 0 ? SessionProtocol.RunLimit : SessionProtocol.LeaveLimit) + SessionProtocol.LeaveLimit;

    /// <summary>Sends nothing more, and waits for the answers that are still to come.</summary>
    public void Leave(string why)
    {
        _isUp = false;
        Interlocked.CompareExchange(ref _why, why, null);
        if (Interlocked.CompareExchange(ref _sealedAt, Math.Max(1, _context.Clock.GetTimestamp()), 0) == 0)
        {
            _ = SealAsync(why);
        }
    }

    /// <summary>Ends the session at once; what waits for an answer ends with it.</summary>
    public void Break(string why)
    {
        _isUp = false;
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

    private async Task<HttpResponseMessage> PostAsync(AttemptRequest request, ConnectionPool connections)
    {
        request.Content = _content;
        request.VersionPolicy = HttpVersionPolicy.RequestVersionExact;
        request.Headers.ExpectContinue = null;
        request.Headers.TryAddWithoutValidation(MeshHeader.MaxBody, _context.MaxBodyBytes.ToString(CultureInfo.InvariantCulture));
        return await connections.SendAsync(request, TimeSpan.Zero, _slot.Target.Name, _lifetime.Token).ConfigureAwait(false);
    }

    private async Task CheckAsync(HttpResponseMessage response)
    {
        if (response.StatusCode == System.Net.HttpStatusCode.OK && ResponseHeaders.IsFromNode(response)
            && response.Content.Headers.ContentType?.MediaType == SessionProtocol.ContentType)
        {
            return;
        }

        var stream = await response.Content.ReadAsStreamAsync(_lifetime.Token).ConfigureAwait(false);
        var body = await BoundedBody.ReadAsync(stream, response.Content.Headers.ContentLength, MaxRefusalBytes, _lifetime.Token)
            .ConfigureAwait(false);
        var detail = ProblemDetails.ReadDetail(body) is { } said ? $": {Printable.Line(said)}" : "";
        throw new IOException($"it was refused with {(int)response.StatusCode}{detail}");
    }

    private async Task ReadPreambleAsync(Stream answers, FrameStream frames)
    {
        Preamble preamble;
        FrameFault fault;
        while (!frames.TryTakePreamble(out preamble, out fault))
        {
            if (!await FillAsync(answers, frames).ConfigureAwait(false))
            {
                throw new IOException("the answer ended before it began");
            }
        }

        if (fault != FrameFault.None)
        {
            throw new IOException($"the answer is not one of this protocol ({fault})");
        }

        if (preamble.Sender != _peer)
        {
            throw new IOException($"node '{preamble.Sender}' answered in place of '{_peer}': the endpoint leads to several nodes");
        }
    }

    private async ValueTask<bool> FillAsync(Stream answers, FrameStream frames)
    {
        var count = await answers.ReadAsync(frames.Room(), _lifetime.Token).ConfigureAwait(false);
        frames.Filled(count);
        return count > 0;
    }

    private void HearAll(FrameStream frames)
    {
        while (true)
        {
            switch (frames.TryTake(out var frame, out var fault))
            {
                case FrameStatus.Read:
                    Hear(in frame);
                    break;
                case FrameStatus.Skipped:
                    _onLoss(new("malformed-frame", _peer, frame.Kind.ToString(), $"{fault}: The frame was skipped."));
                    _link.HearUnreadable(frame.Id, fault);
                    break;
                case FrameStatus.Broken:
                    throw new IOException($"what the node sent cannot be read ({fault})");
                default:
                    return;
            }
        }
    }

    private void Hear(in Frame frame)
    {
        switch (frame.Kind)
        {
            case FrameKind.Ping:
                _link.HearAnything();
                _link.Pong(frame.Id, frame.Stamp, load: 0, isNotHere: frame.IsAboutRequest);
                break;
            case FrameKind.Leave:
                Leave("the node leaves");
                break;
            case FrameKind.Reply or FrameKind.Refusal or FrameKind.Pong:
                _link.Hear(in frame);
                break;
            default:
                _onLoss(new("unexpected-frame", _peer, frame.Kind.ToString(), "The node that answers sent what only a caller sends."));
                break;
        }
    }

    // What is not handed over yet is not sent, and goes by exchange. The answers to the rest still come.
    private async Task SealAsync(string why)
    {
        _sink!.Close($"The session with node '{_peer}' ends: {why.TrimEnd('.')}.");
        await _link.FlushAsync().ConfigureAwait(false);
        _content.End();
    }

    private async Task EndAsync(string why)
    {
        _isUp = false;
        var reason = $"The session with node '{_peer}' ended: {why.TrimEnd('.')}.";
        _sink?.Close(reason);
        await _link.CloseAsync(reason).ConfigureAwait(false);
        _content.End();
        await _lifetime.CancelAsync().ConfigureAwait(false);
    }
}
