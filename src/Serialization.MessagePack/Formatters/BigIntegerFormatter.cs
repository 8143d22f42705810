using System.Numerics;
using MessagePack;
using MessagePack.Formatters;

namespace ServiceMesh.MessagePack;

/// <summary>
/// An integer of any size in the library's form: its bytes in two's complement, the lowest first. The library's own formatter
/// (2.5.307) asks for a buffer two bytes smaller than it uses, and fails when it gets exactly that.
/// </summary>
internal sealed class BigIntegerFormatter : IMessagePackFormatter<BigInteger>
{
    public void Serialize(ref MessagePackWriter writer, BigInteger value, MessagePackSerializerOptions options) =>
        writer.Write(value.ToByteArray());

    public BigInteger Deserialize(ref MessagePackReader reader, MessagePackSerializerOptions options) =>
        global::MessagePack.Formatters.BigIntegerFormatter.Instance.Deserialize(ref reader, options);
}
