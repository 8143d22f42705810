using System.Buffers;
using System.IO.Compression;
using System.Text.Json.Serialization;
using MessagePack;
using Microsoft.Extensions.DependencyInjection;
using ServiceMesh;

namespace Snippets;

#region serializer
/// <summary>JSON, compressed by a library that comes with .NET.</summary>
/// <param name="maxBytes">The largest size of a decompressed body, in bytes.</param>
public sealed class BrotliMessageSerializer(int maxBytes) : IMessageSerializer
{
    private readonly JsonMessageSerializer _json = new();

    public string Name => "Brotli";

    public string ContentType => "application/vnd.example.brotli";

    public void Serialize<T>(T value, IBufferWriter<byte> output)
    {
        var plain = new ArrayBufferWriter<byte>();
        _json.Serialize(value, plain);
        var room = output.GetSpan(BrotliEncoder.GetMaxCompressedLength(plain.WrittenCount));
        if (!BrotliEncoder.TryCompress(plain.WrittenSpan, room, out var written))
        {
            throw new InvalidOperationException("The body could not be compressed.");
        }

        output.Advance(written);
    }

    public T? Deserialize<T>(ReadOnlyMemory<byte> body)
    {
        if (body.IsEmpty)
        {
            return _json.Deserialize<T>(body); // null, where the type allows it
        }

        // A few compressed bytes can become gigabytes, so the buffer is limited first.
        var plain = ArrayPool<byte>.Shared.Rent(maxBytes);
        try
        {
            return BrotliDecoder.TryDecompress(body.Span, plain.AsSpan(0, maxBytes), out var written)
                ? _json.Deserialize<T>(plain.AsMemory(0, written))
                : throw new MalformedBodyException($"The body is not compressed by Brotli, or has more than {maxBytes} bytes.");
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(plain);
        }
    }
}
#endregion

#region both-contracts
[JsonDerivedType(typeof(Circle), "circle")]
[JsonDerivedType(typeof(Square), "square")]
[Union(0, typeof(Circle))]
[Union(1, typeof(Square))]
public abstract record Shape(string Color);

public sealed record Circle(string Color, double Radius) : Shape(Color);

public sealed record Square(string Color, double Side) : Shape(Color);
#endregion

public static class Serializers
{
    public static IServiceMeshBuilder AddMessagePack(this IServiceMeshBuilder mesh) => mesh
    #region add-messagepack
        .AddMessagePackSerializer();
    #endregion

    public static IServiceMeshBuilder AddBrotli(this IServiceMeshBuilder mesh) => mesh
    #region add-serializer
        .AddSerializer(new BrotliMessageSerializer(maxBytes: 4 * 1024 * 1024));
    #endregion
}
