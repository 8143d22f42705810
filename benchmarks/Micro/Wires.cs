using BenchmarkDotNet.Attributes;
using ServiceMesh.Http;
using ServiceMesh.Links;
using ServiceMesh.Redis;

namespace ServiceMesh.Benchmarks;

/// <summary>A message and a reply as frames and back, without any I/O.</summary>
public class LinkFrames : IDisposable
{
    private static readonly Message s_request = Parts.Request(new("jan", 17, -3.5));
    private static readonly ReplyMessage s_reply = Parts.Reply(s_request);

    private readonly FrameBuffer _buffer = new();
    private readonly TextPool _texts = new();
    private byte[] _requestFrame = [];
    private byte[] _replyFrame = [];

    [GlobalCleanup]
    public void Dispose()
    {
        _buffer.Dispose();
        GC.SuppressFinalize(this);
    }

    [GlobalSetup]
    public void Setup()
    {
        WriteRequest();
        _requestFrame = _buffer.Written.ToArray();
        WriteReply();
        _replyFrame = _buffer.Written.ToArray();
    }

    [Benchmark(Description = "request, write")]
    public int WriteRequest()
    {
        _buffer.Truncate(0);
        FrameWriter.Message(_buffer, 1, s_request, "_default", new(30_000, 1, 1));
        return _buffer.Length;
    }

    [Benchmark(Description = "request, read")]
    public bool ReadRequest() => FrameReader.Read(_requestFrame, _requestFrame.Length, _texts, out _, out _, out _) == FrameStatus.Read;

    [Benchmark(Description = "reply, write")]
    public int WriteReply()
    {
        _buffer.Truncate(0);
        FrameWriter.Reply(_buffer, 1, s_reply, 3);
        return _buffer.Length;
    }

    [Benchmark(Description = "reply, read")]
    public bool ReadReply() => FrameReader.Read(_replyFrame, _replyFrame.Length, _texts, out _, out _, out _) == FrameStatus.Read;
}

/// <summary>The envelopes of Gilmour, without any I/O.</summary>
public class GilmourEnvelopes
{
    private static readonly Message s_request = Parts.Request(new("jan", 17, -3.5));
    private readonly Message _request = s_request;
    private static readonly ReplyMessage s_reply = Parts.Reply(s_request);
    private readonly Answer _answer = new(s_reply);
    private readonly byte[] _requestFrame = GilmourWire.Write(Parts.Request(new("jan", 17, -3.5)));
    private readonly byte[] _replyFrame = GilmourWire.Write(s_request.Id, new(s_reply));
    private readonly StackExchange.Redis.RedisChannel _replyChannel =
        StackExchange.Redis.RedisChannel.Literal(GilmourWire.ReplyChannel(s_request.Id));

    [Benchmark(Description = "request, write")]
    public byte[] WriteRequest() => GilmourWire.Write(_request);

    [Benchmark(Description = "request, read")]
    public bool ReadRequest() =>
        GilmourWire.TryReadMessage(MessageKind.Request, s_request.Topic, _requestFrame, TimeProvider.System, out _, out _);

    [Benchmark(Description = "reply, write")]
    public byte[] WriteReply() => GilmourWire.Write(s_request.Id, _answer);

    [Benchmark(Description = "reply, read")]
    public bool ReadReply() => GilmourWire.TryReadAnswer(_replyChannel, _replyFrame, out _, out _, out _);

    [Benchmark(Description = "names of channels and claim")]
    public int Names() =>
        GilmourWire.RequestChannel(_request.Topic).Length
            + GilmourWire.ReplyChannel(_request.Id).Length
            + GilmourWire.ClaimKey(_request.Id, "_default").Length;
}

/// <summary>The headers of messages and replies over HTTP. The body needs no conversion.</summary>
public class HttpWire
{
    private readonly Message _request = Parts.Request(new("jan", 17, -3.5));
    private ReplyMessage _reply = null!;
    private (string, string)[] _requestHeaders = [];
    private HttpReply _httpReply;

    [GlobalSetup]
    public void Setup()
    {
        _reply = Parts.Reply(_request);
        _requestHeaders = WrittenAs(_request);
        _httpReply = ReplyWire.Write(_reply, "bench.echo");
    }

    [Benchmark(Description = "request, write")]
    public int WriteRequest() => WrittenAs(_request).Length;

    [Benchmark(Description = "request, read")]
    public Message ReadRequest()
    {
        var headers = new MessageHeaders(MessageKind.Request, TimeProvider.System);
        foreach (var (name, value) in _requestHeaders)
        {
            headers.Read(name, value);
        }

        return headers.TryComplete() ? headers.ToMessage(_request.Topic, _request.ContentType, _request.Body) : throw new FormatException();
    }

    [Benchmark(Description = "reply, write")]
    public int WriteReply() => ReplyWire.Write(_reply, "bench.echo").Status;

    [Benchmark(Description = "reply, read")]
    public StatusCode ReadReply() => ReplyWire.Read(_httpReply, "peer", isForeign: false, TimeProvider.System, out _).Status;

    private static (string Name, string Value)[] WrittenAs(Message message)
    {
        var headers = new List<(string, string)>();
        MessageWire.Write(message, headers, static (list, name, value) => list.Add((name, value)));
        return [.. headers];
    }
}
