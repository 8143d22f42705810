using System.Buffers;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace ServiceMesh;

/// <summary>
/// Bodies as JSON, by System.Text.Json. Source-generated contexts are used first; reflection only where the
/// application has it enabled (it is off under Native AOT).
/// </summary>
public sealed class JsonMessageSerializer : IMessageSerializer
{
    // A writer is some 150 bytes with its buffers; one per thread is kept and lent out.
    [ThreadStatic]
    private static Utf8JsonWriter? t_writer;

    // What a kept writer points to, so that it does not keep the last body; nothing is ever written into it.
    private static readonly ArrayBufferWriter<byte> s_nowhere = new();

    private readonly JsonSerializerOptions _options;
    private readonly JsonWriterOptions _writerOptions;
    private JsonTypeInfo?[] _contracts = [];

    /// <summary>Uses the given options; they become read-only.</summary>
    /// <param name="options">
    /// Naming, converters and the chain of contexts. Null: property names as written in C#, and every type by reflection
    /// where that is enabled.
    /// </param>
    public JsonMessageSerializer(JsonSerializerOptions? options = null)
    {
        _options = JsonContracts.Complete(options);
        _writerOptions = new()
        {
            Encoder = _options.Encoder,
            Indented = _options.WriteIndented,
            IndentCharacter = _options.IndentCharacter,
            IndentSize = _options.IndentSize,
            NewLine = _options.NewLine,
            SkipValidation = true,
        };
    }

    /// <inheritdoc/>
    public string Name => "Json";

    /// <inheritdoc/>
    public string ContentType => "application/json";

    /// <inheritdoc/>
    public void EnsureSupported<T>() => Contract<T>();

    /// <inheritdoc/>
    public void Serialize<T>(T value, IBufferWriter<byte> output)
    {
        var contract = Contract<T>();
        // Taken out of its slot while in use: a converter may serialize again on the same thread.
        var writer = t_writer;
        t_writer = null;
        if (writer is null || !WritesLikeThis(writer.Options))
        {
            writer = new Utf8JsonWriter(output, _writerOptions);
        }
        else
        {
            writer.Reset(output);
        }

        JsonSerializer.Serialize(writer, value, contract);
        writer.Flush();
        writer.Reset(s_nowhere);
        t_writer = writer;
    }

    /// <inheritdoc/>
    public T? Deserialize<T>(ReadOnlyMemory<byte> body)
    {
        if (body.IsEmpty)
        {
            return default(T) is null
                ? default
                : throw new MalformedBodyException($"The body is empty, and a {JsonContracts.Describe<T>()} is expected.");
        }

        var contract = Contract<T>();
        try
        {
            return JsonSerializer.Deserialize(body.Span, contract);
        }
        catch (JsonException failure)
        {
            throw new MalformedBodyException(
                $"The body is not JSON for {JsonContracts.Describe<T>()}: it fails at {failure.Path ?? "$"}, " +
                $"line {failure.LineNumber + 1 ?? 1}, byte {failure.BytePositionInLine + 1 ?? 1}.",
                failure);
        }
        catch (Exception failure)
        {
            // A constructor, a setter or a converter that refuses the value, or an abstract type without a discriminator.
            throw new MalformedBodyException(
                $"The body is JSON, but it is refused as {JsonContracts.Describe<T>()} with {failure.GetType().Name}.", failure);
        }
    }

    private bool WritesLikeThis(JsonWriterOptions other) =>
        other.Encoder == _writerOptions.Encoder
        && other.Indented == _writerOptions.Indented
        && (!other.Indented
            || (other.IndentCharacter == _writerOptions.IndentCharacter
                && other.IndentSize == _writerOptions.IndentSize
                && other.NewLine == _writerOptions.NewLine));

    // The options look a contract up by its type; here each type has a number, and the contract stands at that place.
    private JsonTypeInfo<T> Contract<T>()
    {
        var contracts = Volatile.Read(ref _contracts);
        return Place<T>.Number < contracts.Length && contracts[Place<T>.Number] is JsonTypeInfo<T> known ? known : FindContract<T>();
    }

    private JsonTypeInfo<T> FindContract<T>()
    {
        try
        {
            var found = (JsonTypeInfo<T>)_options.GetTypeInfo(typeof(T));
            Keep(found, Place<T>.Number);
            return found;
        }
        catch (NotSupportedException failure)
        {
            throw JsonContracts.Missing<T>(failure);
        }
    }

    // Readers take no lock, so a changed table is another one. What two threads add at one moment may be added by one only: the
    // other is looked up again.
    private void Keep(JsonTypeInfo contract, int number)
    {
        var contracts = Volatile.Read(ref _contracts);
        var more = new JsonTypeInfo?[Math.Max(contracts.Length, number + 1)];
        contracts.CopyTo(more, 0);
        more[number] = contract;
        Volatile.Write(ref _contracts, more);
    }

    private static class Places
    {
        public static int Last = -1;
    }

    private static class Place<T>
    {
        public static readonly int Number = Interlocked.Increment(ref Places.Last);
    }
}
