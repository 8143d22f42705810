using System.Buffers;
using System.Collections;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace ServiceMesh;

internal sealed class DictionaryCodec<TKey, TValue>(CodecSet codecs) : Codec<Dictionary<TKey, TValue>?>
    where TKey : notnull
{
    private Pairs<TKey, TValue>? _pairs;

    private Pairs<TKey, TValue> Pairs => _pairs ??= new(codecs);

    public override void Write(ref MessagePackWriter writer, Dictionary<TKey, TValue>? value)
    {
        if (value is null)
        {
            writer.WriteNil();
            return;
        }

        var (keys, values) = (Pairs.Keys, Pairs.Values);
        writer.Enter();
        writer.WriteMapHeader(value.Count);
        foreach (var (key, item) in value)
        {
            keys.Write(ref writer, key);
            values.Write(ref writer, item);
        }

        writer.Leave();
    }

    public override Dictionary<TKey, TValue>? Read(ref MessagePackReader reader) =>
        reader.TryReadNil() ? null : Pairs.ReadDictionary(ref reader);
}

/// <summary>Every other dictionary; made as <see cref="SequenceCodec{TSequence,T}"/> makes sequences.</summary>
internal sealed class MapCodec<TMap, TKey, TValue>(CodecSet codecs, JsonTypeInfo contract) : Codec<TMap>
    where TMap : IEnumerable<KeyValuePair<TKey, TValue>>
    where TKey : notnull
{
    private readonly Func<TMap>? _create = ((JsonTypeInfo<TMap>)contract).CreateObject;
    private readonly bool _isMadeByApplication = Accessors.IsMadeByApplication(contract);
    private readonly JsonForm _form = JsonForm.Of(codecs.JsonContract(contract.Type));
    private readonly Func<object, object?>? _keyOf = typeof(TKey) == typeof(string) ? null : map => ((TMap)map).First().Key;
    private Pairs<TKey, TValue>? _pairs;

    private Pairs<TKey, TValue> Pairs => _pairs ??= new(codecs);

    public override void Write(ref MessagePackWriter writer, TMap value)
    {
        if (value is null)
        {
            writer.WriteNil();
            return;
        }

        var pairs = new List<KeyValuePair<TKey, TValue>>();
        foreach (var pair in value)
        {
            pairs.Add(pair);
        }

        writer.Enter();
        writer.WriteMapHeader(pairs.Count);
        foreach (var (key, item) in pairs)
        {
            Pairs.Keys.Write(ref writer, key);
            Pairs.Values.Write(ref writer, item);
        }

        writer.Leave();
    }

    public override TMap Read(ref MessagePackReader reader)
    {
        if (default(TMap) is null && reader.TryReadNil())
        {
            return default!;
        }

        if (!_isMadeByApplication && typeof(TMap).IsAssignableFrom(typeof(Dictionary<TKey, TValue>)))
        {
            return (TMap)(object)Pairs.ReadDictionary(ref reader);
        }

        return _create is not null && _create() is IDictionary<TKey, TValue> { IsReadOnly: false } made
            ? Fill(ref reader, made)
            : (TMap)MapByJson.Read(ref reader, Pairs.Values, codecs.JsonContract(contract.ElementType!), _form, _keyOf)!;
    }

    private TMap Fill(ref MessagePackReader reader, IDictionary<TKey, TValue> made)
    {
        reader.Enter();
        var count = reader.ReadMapHeader();
        var watch = new FloodWatch<TKey>(count, ref reader);
        for (; count > 0; count--)
        {
            var start = reader.Position;
            var key = Pairs.Keys.Read(ref reader);
            watch.See(key);
            if (!Pairs.AllowDuplicates && made.ContainsKey(key))
            {
                throw new MessagePackException("A key occurs twice", start);
            }

            made[key] = Pairs.Values.Read(ref reader);
        }

        reader.Leave();
        return (TMap)made;
    }
}

/// <summary>Dictionaries without generics, and every dictionary where there is no dynamic code.</summary>
internal sealed class BoxedMapCodec(CodecSet codecs, JsonTypeInfo contract) : Codec<object?>
{
    private readonly JsonForm _form = JsonForm.Of(codecs.JsonContract(contract.Type));
    private readonly StringKeys _texts = new(codecs.Options.DictionaryKeyPolicy);
    private readonly Codec? _integers = contract.KeyType!.IsPrimitive && IsInteger(contract.KeyType) ? codecs.For(contract.KeyType) : null;
    private readonly Func<object, object?>? _keyOf = contract.KeyType == typeof(string) ? null : map => (map as IDictionary)?.Keys.Cast<object>().First();
    private Codec? _value;

    private Codec Value => _value ??= codecs.For(contract.ElementType!);

    public override void Write(ref MessagePackWriter writer, object? value)
    {
        if (value is null)
        {
            writer.WriteNil();
            return;
        }

        // A dictionary of the application may have no other interface than the generic one, which cannot be called here.
        if (value is not IDictionary map)
        {
            JsonText.Write(ref writer, _form.ToJson(value));
            return;
        }

        // Only JSON knows the text of a key that is neither a string nor an integer; it has the pairs in the same order.
        var names = contract.KeyType == typeof(string) || _integers is not null
            ? null
            : _form.ToJson(value).EnumerateObject().Select(p => p.Name).ToArray();
        var pairs = new List<(object Key, object? Value)>();
        foreach (DictionaryEntry entry in map)
        {
            pairs.Add((names is null ? entry.Key : names[pairs.Count], entry.Value));
        }

        writer.Enter();
        writer.WriteMapHeader(pairs.Count);
        foreach (var (key, item) in pairs)
        {
            if (_integers is not null)
            {
                _integers.WriteBoxed(ref writer, key);
            }
            else if (names is not null)
            {
                writer.WriteString((string)key);
            }
            else
            {
                _texts.Write(ref writer, key as string ?? throw new NotSupportedException(
                    $"A key of type {key.GetType().Name} in a {contract.Type} cannot be written; keys there must be strings."));
            }

            Value.WriteBoxed(ref writer, item);
        }

        writer.Leave();
    }

    public override object? Read(ref MessagePackReader reader)
    {
        if (reader.TryReadNil())
        {
            return null;
        }

        return contract.KeyType == typeof(string) && contract.CreateObject?.Invoke() is IDictionary { IsReadOnly: false } made
            ? Fill(ref reader, made)
            : MapByJson.Read(ref reader, Value, codecs.JsonContract(contract.ElementType!), _form, _keyOf);
    }

    private IDictionary Fill(ref MessagePackReader reader, IDictionary made)
    {
        reader.Enter();
        for (var left = reader.ReadMapHeader(); left > 0; left--)
        {
            var start = reader.Position;
            var key = _texts.Read(ref reader);
            if (!codecs.Options.AllowDuplicateProperties && made.Contains(key))
            {
                throw new MessagePackException("A key occurs twice", start);
            }

            made[key] = Value.ReadBoxed(ref reader);
        }

        reader.Leave();
        return made;
    }

    private static bool IsInteger(Type type) => Type.GetTypeCode(type) is >= TypeCode.SByte and <= TypeCode.UInt64;
}

/// <summary>Dictionaries that JSON's own contract makes, of the values that were read here. Keys are what they are in JSON.</summary>
internal static class MapByJson
{
    /// <param name="reader">Before the map.</param>
    /// <param name="values">Reads the values.</param>
    /// <param name="value">Their contract in JSON.</param>
    /// <param name="map">Makes the map.</param>
    /// <param name="keyOf">The key of a map of one pair, which JSON alone can make of its text; null where no key needs a guard.</param>
    public static object? Read(ref MessagePackReader reader, Codec values, JsonTypeInfo value, JsonForm map, Func<object, object?>? keyOf)
    {
        var start = reader.Position;
        reader.EnterForJson();
        var buffer = new ArrayBufferWriter<byte>();
        using (var json = JsonText.Into(buffer))
        {
            json.WriteStartObject();
            var count = reader.ReadMapHeader();
            var watch = new FloodWatch<object?>(keyOf is null ? 0 : count, ref reader);
            for (; count > 0; count--)
            {
                var at = reader.Position;
                var key = JsonText.ReadKey(ref reader);
                var item = values.ReadBoxed(ref reader);
                json.WritePropertyName(key);
                JsonSerializer.Serialize(json, item, value);
                if (watch.IsWatching)
                {
                    watch.See(keyOf!(map.Read(Pair(key, item, value), at)!));
                }
            }

            json.WriteEndObject();
        }

        reader.LeaveForJson();
        return map.Read(buffer, start);
    }

    private static ArrayBufferWriter<byte> Pair(string key, object? item, JsonTypeInfo value)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using var json = JsonText.Into(buffer);
        json.WriteStartObject();
        json.WritePropertyName(key);
        JsonSerializer.Serialize(json, item, value);
        json.WriteEndObject();
        json.Flush();
        return buffer;
    }
}

internal sealed class Pairs<TKey, TValue>(CodecSet codecs)
    where TKey : notnull
{
    public KeyCodec<TKey> Keys { get; } = codecs.KeysOf<TKey>();

    public Codec<TValue> Values { get; } = codecs.For<TValue>();

    public bool AllowDuplicates { get; } = codecs.Options.AllowDuplicateProperties;

    public Dictionary<TKey, TValue> ReadDictionary(ref MessagePackReader reader)
    {
        reader.Enter();
        var count = reader.ReadMapHeader();
        var guard = FloodGuard<TKey>.For(count, ref reader);
        var map = new Dictionary<TKey, TValue>(Capacity.For<KeyValuePair<TKey, TValue>>(count), guard);
        for (; count > 0; count--)
        {
            var start = reader.Position;
            var key = Keys.Read(ref reader);
            var value = Values.Read(ref reader);
            if (AllowDuplicates)
            {
                map[key] = value;
            }
            else if (!map.TryAdd(key, value))
            {
                throw new MessagePackException("A key occurs twice", start);
            }
        }

        guard?.Disarm();
        reader.Leave();
        return map;
    }
}
