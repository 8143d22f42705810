using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using MessagePack;
using MessagePack.Formatters;

namespace ServiceMesh.MessagePack;

/// <summary>
/// Bodies as MessagePack, by the library MessagePack-CSharp: types with <c>[MessagePackObject]</c> by their attributes,
/// other public types by the names of their public members. Thread-safe.
/// </summary>
/// <remarks>
/// docs/serialization.md says how each type is written. The attributes and options of System.Text.Json mean nothing here.
/// </remarks>
public sealed class MessagePackMessageSerializer : IMessageSerializer
{
    private readonly TypeTable _supported = new();
    private readonly TypeGraph _graph;
    private readonly MessagePackSerializerOptions _options;

    /// <summary>Uses the given settings; a copy is made.</summary>
    /// <param name="settings">Null for the defaults.</param>
    /// <exception cref="ArgumentException">A setting is refused; the message says which and why.</exception>
    [RequiresDynamicCode("MessagePack-CSharp emits the code that reads and writes a type at run time.")]
    [RequiresUnreferencedCode("MessagePack-CSharp finds the members of a type by reflection.")]
    public MessagePackMessageSerializer(MessagePackSerializerSettings? settings = null)
    {
        settings = (settings ?? new()).Checked();
        var security = new BodySecurity(settings.MaxDepth);
        var formatters = new FormatterSource(settings.Resolver);
        _graph = new(formatters, security);
        _options = new MessagePackSerializerOptions(new BodyResolver(formatters, _graph, settings.MaxDepth))
            .WithCompression(MessagePackCompression.None)
            .WithSecurity(security);
    }

    /// <inheritdoc/>
    public string Name => "MessagePack";

    /// <inheritdoc/>
    public string ContentType => "application/msgpack";

    /// <inheritdoc/>
    public void EnsureSupported<T>() => Formatter<T>();

    /// <inheritdoc/>
    public void Serialize<T>(T value, IBufferWriter<byte> output)
    {
        ArgumentNullException.ThrowIfNull(output);
        var formatter = Formatter<T>();
        var writer = new MessagePackWriter(output);
        try
        {
            formatter.Serialize(ref writer, value, _options);
        }
        catch (MessagePackSerializationException failure)
        {
            throw new NotSupportedException(
                $"A value of type {TypeName.Of(typeof(T))} cannot be written as MessagePack. {failure.GetBaseException().Message}",
                failure);
        }

        writer.Flush();
    }

    /// <inheritdoc/>
    public T? Deserialize<T>(ReadOnlyMemory<byte> body)
    {
        if (body.IsEmpty)
        {
            return default(T) is null
                ? default
                : throw new MalformedBodyException($"The body is empty, and a {TypeName.Of(typeof(T))} is expected.");
        }

        var formatter = Formatter<T>();
        var reader = new MessagePackReader(body);
        T value;
        try
        {
            value = formatter.Deserialize(ref reader, _options);
        }
        catch (Exception failure) when (failure is not UnsupportedTypeException)
        {
            // An exception of the library, or of a constructor or a setter that refuses the value.
            throw Refused<T>(failure, reader.Consumed, body.Length);
        }

        var end = reader.Consumed;
        return end == body.Length
            ? value
            : throw new MalformedBodyException(
                $"The body has {body.Length - reader.Consumed} bytes after the {TypeName.Of(typeof(T))}, "
                + $"which ends at byte {reader.Consumed}.");
    }

    private IMessagePackFormatter<T> Formatter<T>() =>
        _supported.TryGet<T>(out var known) ? (IMessagePackFormatter<T>)known : CheckedFormatter<T>();

    private IMessagePackFormatter<T> CheckedFormatter<T>()
    {
        _graph.Check(typeof(T));
        var formatter = _options.Resolver.GetFormatterWithVerify<T>();
        _supported.Set<T>(formatter);
        return formatter;
    }

    // The message leaves out that of the library, which may quote the body.
    private MalformedBodyException Refused<T>(Exception failure, long position, int length)
    {
        var cause = failure.GetBaseException();
        var what = cause switch
        {
            InsufficientExecutionStackException => $"is nested deeper than {_options.Security.MaximumObjectGraphDepth} levels",
            EndOfStreamException => "ends too early",
            MessagePackSerializationException => "fails",
            _ => $"is refused with {cause.GetType().Name}",
        };
        return new(
            $"The body is not MessagePack for {TypeName.Of(typeof(T))}: it {what} at byte {Math.Max(position, 1)} of {length}.", failure);
    }
}
