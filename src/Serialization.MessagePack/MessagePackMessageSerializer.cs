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
    private readonly MessagePackSerializerSettings _settings;
    private readonly bool _isExact;
    private readonly TypeTable _supported = new();
    private readonly ShapeSource _shapes;
    private readonly TypeGraph _graph;
    private readonly MessagePackSerializerOptions _options;

    /// <summary>Uses the given settings; a copy is made.</summary>
    /// <param name="settings">Null for the defaults.</param>
    /// <exception cref="ArgumentException">A setting is refused; the message says which and why.</exception>
    [RequiresDynamicCode("MessagePack-CSharp emits the code that reads and writes a type at run time.")]
    [RequiresUnreferencedCode("MessagePack-CSharp finds the members of a type by reflection.")]
    public MessagePackMessageSerializer(MessagePackSerializerSettings? settings = null)
        : this((settings ?? new()).Checked(), isExact: false)
    {
    }

    private MessagePackMessageSerializer(MessagePackSerializerSettings settings, bool isExact)
    {
        (_settings, _isExact) = (settings, isExact);
        var security = new BodySecurity(settings.MaxDepth);
        var formatters = new FormatterSource(settings.Resolver);
        _shapes = new(formatters);
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
    public void EnsureSupported<T>() => Supported<T>();

    /// <inheritdoc/>
    public IMessageSerializer WithExactContracts() => new MessagePackMessageSerializer(_settings, isExact: true);

    /// <inheritdoc/>
    public void Serialize<T>(T value, IBufferWriter<byte> output)
    {
        ArgumentNullException.ThrowIfNull(output);
        var formatter = Supported<T>().Formatter;
        var writer = new MessagePackWriter(output);
        try
        {
            formatter.Serialize(ref writer, value, _options);
        }
        catch (MessagePackSerializationException failure)
        {
            throw new NotSupportedException(
                $"A value of type {TypeWords.Name(typeof(T))} cannot be written as MessagePack. {failure.GetBaseException().Message}",
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
                : throw new MalformedBodyException($"The body is empty; {TypeWords.Value(typeof(T), "a value")} is expected.");
        }

        var type = Supported<T>();
        var read = type.IsChecked ? Checked(type, body) : body;
        var reader = new MessagePackReader(read);
        T value;
        try
        {
            value = type.Formatter.Deserialize(ref reader, _options);
        }
        catch (Exception failure)
            when (failure is not UnsupportedTypeException && failure.GetBaseException() is not OutOfMemoryException) // no fault of the body
        {
            // An exception of the library, or of a constructor or a setter that refuses the value.
            throw Mismatch(type, body, failure) ?? Refused<T>(failure, reader.Consumed, body.Length);
        }

        var left = read.Length - reader.Consumed;
        return left == 0
            ? value
            : throw new MalformedBodyException(
                $"The body has {left} bytes after the {TypeWords.Name(typeof(T))}, which ends at byte {body.Length - left}.");
    }

    // The body, with the names of the members where it has them in another case.
    private ReadOnlyMemory<byte> Checked<T>(SupportedType<T> type, ReadOnlyMemory<byte> body)
    {
        var check = new BodyCheck(_isExact, _options.Security.MaximumObjectGraphDepth, explains: false);
        return TryMatch(type, body, check) ? check.WithNamesOf(body)
            : check.Fault is null ? body // the library says why
            : throw Mismatch(type, body, null)!;
    }

    private MalformedBodyException? Mismatch<T>(SupportedType<T> type, ReadOnlyMemory<byte> body, Exception? cause)
    {
        var check = new BodyCheck(_isExact, _options.Security.MaximumObjectGraphDepth, explains: true);
        return !TryMatch(type, body, check) && check.Fault is { } fault
            ? new($"The body does not match {TypeWords.Name(typeof(T))}: {fault} (byte {check.Position} of {body.Length}).", cause)
            : null;
    }

    private static bool TryMatch<T>(SupportedType<T> type, ReadOnlyMemory<byte> body, BodyCheck check)
    {
        var reader = new MessagePackReader(body);
        try
        {
            return type.Shape.Match(ref reader, BodyPath.Root, check);
        }
        catch (Exception failure) when (failure is not OutOfMemoryException)
        {
            return check.GiveUp(); // not MessagePack, or too short: the library has various exceptions for that
        }
    }

    private SupportedType<T> Supported<T>() => _supported.TryGet<T>(out var known) ? (SupportedType<T>)known : Find<T>();

    private SupportedType<T> Find<T>()
    {
        _graph.Check(typeof(T));
        var shape = _shapes.Of(typeof(T));
        var found = new SupportedType<T>(_options.Resolver.GetFormatterWithVerify<T>(), shape, ShapeSource.IsChecked(shape));
        _supported.Set<T>(found);
        return found;
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
            $"The body is not MessagePack for {TypeWords.Name(typeof(T))}: it {what} at byte {Math.Max(position, 1)} of {length}.",
            failure);
    }

    /// <summary>A type that can be serialized.</summary>
    private sealed record SupportedType<T>(IMessagePackFormatter<T> Formatter, BodyShape Shape, bool IsChecked);
}
