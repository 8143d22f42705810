using System.Buffers;
using System.Runtime.CompilerServices;
using System.Text.Json;

namespace ServiceMesh;

/// <summary>
/// Bodies as MessagePack. A type has the contract that it has in JSON: names, what is required and what is left out,
/// constructors, derived types, enums; so source-generated contexts work here as well. Thread-safe.
/// </summary>
/// <remarks>
/// How each type is written stands in docs/serialization.md. Nesting is limited by <see cref="JsonSerializerOptions.MaxDepth"/>
/// (64 unless it is set). A type whose converter the application wrote has the form that the converter gives it in JSON.
/// </remarks>
public sealed class MessagePackMessageSerializer : IMessageSerializer
{
    /// <summary>The largest body that the configuration can allow, and the default here: 1,073,741,824 bytes.</summary>
    public const int LargestBody = 1 << 30;

    private const int DefaultMaxDepth = 64;

    private readonly CodecSet _codecs;
    private readonly int _maxDepth;
    private readonly int _maxBytes;

    /// <summary>Uses the given options; a copy is made.</summary>
    /// <param name="options">
    /// Naming, converters and the chain of contexts. Null: property names as written in C#, and every type by reflection
    /// where that is enabled.
    /// </param>
    /// <param name="maxBytes">The largest body in bytes, read or written. 1 to <see cref="LargestBody"/>, which is the default.</param>
    /// <exception cref="ArgumentOutOfRangeException">The limit is out of its range.</exception>
    public MessagePackMessageSerializer(JsonSerializerOptions? options = null, int maxBytes = LargestBody)
        : this(options, maxBytes, RuntimeFeature.IsDynamicCodeSupported) { }

    internal MessagePackMessageSerializer(JsonSerializerOptions? options, int maxBytes, bool isDynamic)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(maxBytes, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(maxBytes, LargestBody);
        var contracts = BodyContracts.Complete(options);
        _codecs = new(contracts, isDynamic);
        _maxDepth = contracts.MaxDepth == 0 ? DefaultMaxDepth : contracts.MaxDepth;
        _maxBytes = maxBytes;
    }

    /// <inheritdoc/>
    public string Name => "MessagePack";

    /// <inheritdoc/>
    public string ContentType => "application/msgpack";

    /// <inheritdoc/>
    /// <exception cref="InvalidOperationException">The value is nested too deep, or the body is larger than allowed.</exception>
    public void Serialize<T>(T value, IBufferWriter<byte> output)
    {
        ArgumentNullException.ThrowIfNull(output);
        var codec = CodecOf<T>();
        var writer = new MessagePackWriter(output, _maxDepth, _maxBytes);
        codec.Write(ref writer, value);
        writer.Flush();
    }

    /// <inheritdoc/>
    public T? Deserialize<T>(ReadOnlyMemory<byte> body)
    {
        if (body.IsEmpty)
        {
            return default(T) is null
                ? default
                : throw new MalformedBodyException($"The body is empty, and a {BodyContracts.Describe<T>()} is expected.");
        }

        var codec = CodecOf<T>();
        return Read(codec, new MessagePackReader(body.Span, _maxDepth));
    }

    /// <summary>Reads a value from a body that lies in pieces, as it came from a pipe.</summary>
    /// <exception cref="MalformedBodyException">As <see cref="Deserialize{T}(ReadOnlyMemory{byte})"/>.</exception>
    public T? Deserialize<T>(ReadOnlySequence<byte> body) =>
        body.IsEmpty || body.IsSingleSegment ? Deserialize<T>(body.First) : Read(CodecOf<T>(), new MessagePackReader(body, _maxDepth));

    private T? Read<T>(Codec<T> codec, MessagePackReader reader)
    {
        try
        {
            if (reader.Remaining > _maxBytes)
            {
                throw new MessagePackException($"The body has {reader.Remaining} bytes, and {_maxBytes} are allowed", 0);
            }

            var value = codec.Read(ref reader);
            return reader.Remaining == 0 ? value : throw new MessagePackException("The body goes on behind its value", reader.Position);
        }
        catch (MessagePackException failure)
        {
            throw new MalformedBodyException($"The body is not MessagePack for {BodyContracts.Describe<T>()}. {failure.Message}", failure);
        }
        catch (Exception failure)
        {
            // A constructor, a setter or a converter that refuses the value, or an abstract type without a discriminator.
            throw new MalformedBodyException(
                $"The body is MessagePack, but it is refused as {BodyContracts.Describe<T>()} with {failure.GetType().Name}.", failure);
        }
    }

    private Codec<T> CodecOf<T>()
    {
        try
        {
            return _codecs.For<T>();
        }
        catch (NotSupportedException failure)
        {
            throw BodyContracts.Missing<T>(failure);
        }
    }
}
