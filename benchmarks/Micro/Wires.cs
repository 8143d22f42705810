using BenchmarkDotNet.Attributes;
using ServiceMesh.Http;
using ServiceMesh.Redis;

namespace ServiceMesh.Benchmarks;

/// <summary>A message and a reply as bytes and back, without any I/O.</summary>
public class Wires
{
    private static readonly Message s_request = Parts.Request(new("jan", 17, -3.5));
    private static readonly ReplyMessage s_reply = Parts.Reply(s_request);
    private static readonly Answer s_answer = new(s_reply);

    private IRedisWire _redis = null!;
    private byte[] _requestFrame = [];
    private byte[] _replyFrame = [];
    private string _replyChannel = "";

    [Params("Native", "Gilmour")]
    public string Wire { get; set; } = "";

    [GlobalSetup]
    public void Setup()
    {
        _redis = Wire == "Native" ? new NativeWire("mesh") : new GilmourWire();
        _requestFrame = _redis.Write(s_request);
        _replyFrame = _redis.Write(s_request.Id, s_answer);
        _replyChannel = _redis.ReplyChannel(s_request.Id);
    }

    [Benchmark(Description = "request, write")]
    public byte[] WriteRequest() => _redis.Write(s_request);

    [Benchmark(Description = "request, read")]
    public bool ReadRequest() => _redis.TryReadMessage(MessageKind.Request, s_request.Topic, _requestFrame, TimeProvider.System, out _, out _);

    [Benchmark(Description = "reply, write")]
    public byte[] WriteReply() => _redis.Write(s_request.Id, s_answer);

    [Benchmark(Description = "reply, read")]
    public bool ReadReply() => _redis.TryReadAnswer(_replyChannel, _replyFrame, out _, out _, out _);

    [Benchmark(Description = "names of channels and claim")]
    public int Names() => _redis.RequestChannel(s_request.Topic).Length + _redis.ReplyChannel(s_request.Id).Length + _redis.ClaimKey(s_request.Id, "_default").Length;
}

/// <summary>The same over HTTP: headers, since the body travels as it is.</summary>
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
    public bool ReadRequest() => MessageWire.TryRead(MessageKind.Request, _request.Topic, _request.ContentType, _requestHeaders, TimeProvider.System, out _, out _);

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
