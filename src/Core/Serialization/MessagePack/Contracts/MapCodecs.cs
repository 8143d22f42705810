using System.Collections;
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
    private readonly JsonForm _form = JsonForm.Of(contract);
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

        if (typeof(TMap).IsAssignableFrom(typeof(Dictionary<TKey, TValue>)))
        {
            return (TMap)(object)Pairs.ReadDictionary(ref reader);
        }

        return _create is not null && _create() is IDictionary<TKey, TValue> { IsReadOnly: false } made
            ? Fill(ref reader, made)
            : (TMap)_form.Read(ref reader)!;
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

/// <summary>Dictionaries of texts without generics, and every such dictionary where there is no dynamic code.</summary>
internal sealed class BoxedMapCodec(CodecSet codecs, JsonTypeInfo contract) : Codec<object?>
{
    private readonly JsonForm _form = JsonForm.Of(contract);
    private readonly StringKeys _keys = new(codecs.Options.DictionaryKeyPolicy);
    private Codec? _value;

    private Codec Value => _value ??= codecs.For(contract.ElementType!);

    public override void Write(ref MessagePackWriter writer, object? value)
    {
        if (value is null)
        {
            writer.WriteNil();
            return;
        }

        var pairs = new List<(string Key, object? Value)>();
        foreach (DictionaryEntry entry in (IDictionary)value)
        {
            pairs.Add((entry.Key as string ?? throw new NotSupportedException(
                $"A key of type {entry.Key.GetType().Name} in a {contract.Type} cannot be written; keys there must be strings."), entry.Value));
        }

        writer.Enter();
        writer.WriteMapHeader(pairs.Count);
        foreach (var (key, item) in pairs)
        {
            _keys.Write(ref writer, key);
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

        if (contract.CreateObject?.Invoke() is not IDictionary { IsReadOnly: false } made)
        {
            return _form.Read(ref reader);
        }

        reader.Enter();
        for (var left = reader.ReadMapHeader(); left > 0; left--)
        {
            var start = reader.Position;
            var key = _keys.Read(ref reader);
            if (!codecs.Options.AllowDuplicateProperties && made.Contains(key))
            {
                throw new MessagePackException("A key occurs twice", start);
            }

            made[key] = Value.ReadBoxed(ref reader);
        }

        reader.Leave();
        return made;
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
