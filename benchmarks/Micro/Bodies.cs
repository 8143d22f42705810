using System.Buffers;
using BenchmarkDotNet.Attributes;
using ServiceMesh.MessagePack;

namespace ServiceMesh.Benchmarks;

/// <summary>The small record as a body. The command <c>serializers</c> measures more values, and their sizes.</summary>
public class Bodies
{
    private readonly Reading _reading = new("jan", 17, -3.5);
    private readonly ArrayBufferWriter<byte> _output = new();
    private IMessageSerializer _serializer = null!;
    private byte[] _body = [];

    [Params("Json", "MessagePack")]
    public string Serializer { get; set; } = "";

    [GlobalSetup]
    public void Setup()
    {
        _serializer = Serializer == "Json" ? new JsonMessageSerializer() : new MessagePackMessageSerializer();
        _body = SerializerSet.Encode(_serializer, _reading);
    }

    [Benchmark(Description = "write")]
    public int Write()
    {
        _output.ResetWrittenCount();
        _serializer.Serialize(_reading, _output);
        return _output.WrittenCount;
    }

    [Benchmark(Description = "read")]
    public Reading? Read() => _serializer.Deserialize<Reading>(_body);
}
