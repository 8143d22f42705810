using System.Buffers;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization.Metadata;

namespace ServiceMesh;

/// <summary>
/// Bodies as JSON, by System.Text.Json. Source-generated contexts are used first; reflection only where the
/// application has it enabled (it is off under Native AOT). Contracts are checked: what a type requires must be in the body,
/// null is refused where the type forbids it, and names match without regard to case.
/// </summary>
public sealed class JsonMessageSerializer : IMessageSerializer
{
    // A writer is some 150 bytes with its buffers; one per thread is kept and lent out.
    [ThreadStatic]
    private static Utf8JsonWriter? t_writer;

    // What a kept writer points to, so that it does not keep the last body; nothing is ever written into it.
    private static readonly ArrayBufferWriter<byte> s_nowhere = new();

    private readonly JsonSerializerOptions? _given;
    private readonly JsonSerializerOptions _options;
    private readonly JsonWriterOptions _writerOptions;
    private JsonTypeInfo?[] _contracts = [];

    /// <summary>Uses a copy of the given options.</summary>
    /// <param name="options">
    /// Naming, converters and the chain of contexts. Null: property names as written in C#, and every type by reflection
    /// where that is enabled. The options that check contracts (<c>RespectNullableAnnotations</c>,
    /// <c>RespectRequiredConstructorParameters</c>, <c>PropertyNameCaseInsensitive</c>) are on, whatever they say.
    /// </param>
    public JsonMessageSerializer(JsonSerializerOptions? options = null)
        : this(options, JsonContracts.Complete(options, ContractMatching.Compatible))
    {
    }

    private JsonMessageSerializer(JsonSerializerOptions? given, JsonSerializerOptions complete)
    {
        _given = given;
        _options = complete;
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

    /// <summary>What reads and writes the bus's own topics, in one form that no option changes.</summary>
    internal static JsonMessageSerializer OfTheBus { get; } = new(null, JsonContracts.OfTheBus());

    /// <inheritdoc/>
    public string Name => "Json";

    /// <inheritdoc/>
    public string ContentType => "application/json";

    /// <inheritdoc/>
    public void EnsureSupported<T>() => Contract<T>();

    /// <inheritdoc/>
    public IMessageSerializer WithExactContracts() =>
        new JsonMessageSerializer(_given, JsonContracts.Complete(_given, ContractMatching.Exact));

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

        try
        {
            JsonSerializer.Serialize(writer, value, contract);
        }
        catch (Exception failure) when (IsOfTheLibrary(failure))
        {
            throw Unwritable(typeof(T), failure);
        }

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
                : throw new MalformedBodyException($"The body is empty; {TypeWords.Value(typeof(T), "a value")} is expected.");
        }

        var contract = Contract<T>();
        var counts = CollisionBudget.Begin();
        try
        {
            return JsonSerializer.Deserialize(body.Span, contract);
        }
        catch (Exception failure) when (failure.GetBaseException() is not OutOfMemoryException) // not a fault of the body
        {
            throw Refused(body.Span, contract, failure);
        }
        finally
        {
            if (counts)
            {
                CollisionBudget.End();
            }
        }
    }

    private static MalformedBodyException Refused(ReadOnlySpan<byte> body, JsonTypeInfo contract, Exception failure)
    {
        var type = TypeWords.Name(contract.Type);
        var position = failure is JsonException { LineNumber: { } line, BytePositionInLine: { } place }
            ? string.Create(CultureInfo.InvariantCulture, $"line {line + 1}, byte {place + 1}")
            : "line 1, byte 1";
        return new(
            failure is HashCollisionException ? $"The body is refused as {type}: {failure.Message}"
            : JsonBodyFault.Find(body, contract) is { } fault ? $"The body does not match {type}: {fault} ({position})."
            : failure is JsonException json ? $"The body is not JSON for {type}: it fails at {PathOf(json)}, {position}."
            // A constructor, a setter or a converter that refuses the value.
            : $"The body is JSON, but it is refused as {type} with {failure.GetType().Name}.",
            failure);
    }

    // A path may contain the keys of a dictionary, which come from the body.
    private static string PathOf(JsonException failure) => Printable.Line(failure.Path ?? "$");

    // What a getter or a converter of the application throws passes through.
    private static bool IsOfTheLibrary(Exception failure) =>
        failure is JsonException or NotSupportedException or ArgumentException
        && failure.Source?.StartsWith("System.Text.Json", StringComparison.Ordinal) == true;

    private NotSupportedException Unwritable(Type type, Exception failure)
    {
        var reason = failure switch
        {
            ArgumentException =>
                "It contains NaN or an infinity, which JSON does not have. Send null or a string in its place, or set "
                + "NumberHandling to AllowNamedFloatingPointLiterals with ConfigureJson(…) on all nodes.",
            JsonException { Path: { } path } when path.Count(c => c is '.' or '[') >= DepthOf(_options) - 1 =>
                $"It is nested deeper than {DepthOf(_options)} levels, or it contains itself. Send less at once, leave out the member that "
                + "leads back with [JsonIgnore], or raise MaxDepth with ConfigureJson(…) on all nodes.",
            JsonException { Path: { } path } when failure.Message.Contains("null values", StringComparison.Ordinal) =>
                $"{Printable.Line(path)} is null, and the type says that it must not be. Give it a value, or make the member nullable.",
            _ when failure.Message.Contains("polymorphic", StringComparison.Ordinal) =>
                $"{SentenceOf(failure)} Name each type of a hierarchy with [JsonDerivedType].",
            _ => SentenceOf(failure),
        };
        return new($"A value of type {TypeWords.Name(type)} cannot be written as JSON. {reason}", failure);
    }

    private static string SentenceOf(Exception failure) => failure.Message.Split(" Path: ")[0];

    private static int DepthOf(JsonSerializerOptions options) => options.MaxDepth == 0 ? 64 : options.MaxDepth;

    /// <summary>The JSON schema of a type, with what the type requires and forbids.</summary>
    /// <exception cref="NotSupportedException">JSON cannot carry the type.</exception>
    internal JsonNode SchemaOf(Type type)
    {
        JsonTypeCheck.Check(type, _options);
        return JsonSchemas.Of(_options.GetTypeInfo(type));
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
        JsonTypeCheck.Check(typeof(T), _options);
        var found = (JsonTypeInfo<T>)_options.GetTypeInfo(typeof(T));
        Keep(found, Place<T>.Number);
        return found;
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
