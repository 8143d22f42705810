using System.Buffers;
using System.Collections;
using System.Collections.Frozen;
using System.Collections.Immutable;
using System.Runtime.InteropServices;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace ServiceMesh;

internal sealed class ArrayCodec<T>(CodecSet codecs) : Codec<T[]?>
{
    private Codec<T>? _element;

    // Asked for late: a type may contain itself.
    private Codec<T> Element => _element ??= codecs.For<T>();

    public override void Write(ref MessagePackWriter writer, T[]? value)
    {
        if (value is null)
        {
            writer.WriteNil();
        }
        else
        {
            Sequence.Write(ref writer, value, Element);
        }
    }

    public override T[]? Read(ref MessagePackReader reader)
    {
        if (reader.TryReadNil())
        {
            return null;
        }

        reader.Enter();
        var count = reader.ReadArrayHeader();
        var element = Element;
        var items = count == 0 ? [] : new T[Capacity.For<T>(count)];
        for (var i = 0; i < count; i++)
        {
            if (i == items.Length)
            {
                Array.Resize(ref items, (int)Math.Min(count, i * 2L));
            }

            items[i] = element.Read(ref reader);
        }

        reader.Leave();
        return items;
    }
}

internal sealed class ListCodec<T>(CodecSet codecs) : Codec<List<T>?>
{
    private Codec<T>? _element;

    private Codec<T> Element => _element ??= codecs.For<T>();

    public override void Write(ref MessagePackWriter writer, List<T>? value)
    {
        if (value is null)
        {
            writer.WriteNil();
        }
        else
        {
            Sequence.Write(ref writer, CollectionsMarshal.AsSpan(value), Element);
        }
    }

    public override List<T>? Read(ref MessagePackReader reader) => reader.TryReadNil() ? null : Sequence.ReadList(ref reader, Element);
}

/// <summary>
/// Every other sequence. What List or HashSet stand for is made as one; what has a constructor and Add is filled; what is
/// left, such as immutable and concurrent collections, stacks and queues, is made by JSON's own contract, of the
/// elements that were read here.
/// </summary>
internal sealed class SequenceCodec<TSequence, T>(CodecSet codecs, JsonTypeInfo contract) : Codec<TSequence>
    where TSequence : IEnumerable<T>
{
    private readonly Func<TSequence>? _create = ((JsonTypeInfo<TSequence>)contract).CreateObject;
    private readonly bool _isMadeByApplication = Accessors.IsMadeByApplication(contract);
    private readonly JsonTypeInfo _item = codecs.JsonContract(contract.ElementType!);
    private readonly JsonForm _form = JsonForm.Of(codecs.JsonContract(contract.Type));
    private Codec<T>? _element;

    private Codec<T> Element => _element ??= codecs.For<T>();

    public override void Write(ref MessagePackWriter writer, TSequence value)
    {
        if (value is null)
        {
            writer.WriteNil();
            return;
        }

        // Copied first: the count goes in front, and another thread may add to a concurrent collection meanwhile.
        var items = new List<T>();
        foreach (var item in value)
        {
            items.Add(item);
        }

        Sequence.Write(ref writer, CollectionsMarshal.AsSpan(items), Element);
    }

    public override TSequence Read(ref MessagePackReader reader)
    {
        if (default(TSequence) is null && reader.TryReadNil())
        {
            return default!;
        }

        if (!_isMadeByApplication && typeof(TSequence).IsAssignableFrom(typeof(List<T>)))
        {
            return (TSequence)(object)Sequence.ReadList(ref reader, Element);
        }

        if (!_isMadeByApplication && typeof(TSequence).IsAssignableFrom(typeof(HashSet<T>)))
        {
            return (TSequence)(object)ReadSet(ref reader);
        }

        return _create is not null && _create() is ICollection<T> { IsReadOnly: false } made
            ? Fill(ref reader, made)
            : (TSequence)ReadByJson(ref reader)!;
    }

    private object? ReadByJson(ref MessagePackReader reader)
    {
        var start = reader.Position;
        var buffer = new ArrayBufferWriter<byte>();
        using (var json = JsonText.Into(buffer))
        {
            reader.EnterForJson();
            json.WriteStartArray();
            var count = reader.ReadArrayHeader();
            var watch = new FloodWatch<T>(Sequence.IsTable(contract.Type) ? count : 0, ref reader);
            for (; count > 0; count--)
            {
                var item = Element.Read(ref reader);
                watch.See(item);
                JsonSerializer.Serialize(json, item, _item);
            }

            json.WriteEndArray();
            reader.LeaveForJson();
        }

        return _form.Read(buffer, start);
    }

    private HashSet<T> ReadSet(ref MessagePackReader reader)
    {
        reader.Enter();
        var count = reader.ReadArrayHeader();
        var guard = FloodGuard<T>.For(count, ref reader);
        var set = new HashSet<T>(Capacity.For<T>(count), guard);
        for (; count > 0; count--)
        {
            set.Add(Element.Read(ref reader));
        }

        guard?.Disarm();
        reader.Leave();
        return set;
    }

    private TSequence Fill(ref MessagePackReader reader, ICollection<T> made)
    {
        reader.Enter();
        var count = reader.ReadArrayHeader();
        var watch = new FloodWatch<T>(made is ISet<T> ? count : 0, ref reader);
        for (; count > 0; count--)
        {
            var item = Element.Read(ref reader);
            watch.See(item);
            made.Add(item);
        }

        reader.Leave();
        return (TSequence)made;
    }
}

/// <summary>Sequences without generics: lists of objects, and every sequence where there is no dynamic code.</summary>
internal sealed class BoxedSequenceCodec(CodecSet codecs, JsonTypeInfo contract) : Codec<object?>
{
    private readonly JsonForm _form = JsonForm.Of(codecs.JsonContract(contract.Type));
    private Codec? _element;

    private Codec Element => _element ??= codecs.For(contract.ElementType!);

    public override void Write(ref MessagePackWriter writer, object? value)
    {
        if (value is null)
        {
            writer.WriteNil();
            return;
        }

        var items = new List<object?>();
        foreach (var item in (IEnumerable)value)
        {
            items.Add(item);
        }

        writer.Enter();
        writer.WriteArrayHeader(items.Count);
        foreach (var item in items)
        {
            Element.WriteBoxed(ref writer, item);
        }

        writer.Leave();
    }

    public override object? Read(ref MessagePackReader reader)
    {
        if (reader.TryReadNil())
        {
            return null;
        }

        if (contract.Type.IsSZArray)
        {
            var items = ReadItems(ref reader, new List<object?>());
            var array = Array.CreateInstanceFromArrayType(contract.Type, items.Count);
            for (var i = 0; i < items.Count; i++)
            {
                array.SetValue(items[i], i);
            }

            return array;
        }

        return contract.CreateObject?.Invoke() is IList { IsReadOnly: false } made
            ? ReadItems(ref reader, made)
            : ReadByJson(ref reader);
    }

    private object? ReadByJson(ref MessagePackReader reader)
    {
        var start = reader.Position;
        var item = codecs.JsonContract(contract.ElementType!);
        var buffer = new ArrayBufferWriter<byte>();
        using (var json = JsonText.Into(buffer))
        {
            reader.EnterForJson();
            json.WriteStartArray();
            var count = reader.ReadArrayHeader();
            var watch = new FloodWatch<object?>(Sequence.IsTable(contract.Type) ? count : 0, ref reader);
            for (; count > 0; count--)
            {
                var value = Element.ReadBoxed(ref reader);
                watch.See(value);
                JsonSerializer.Serialize(json, value, item);
            }

            json.WriteEndArray();
            reader.LeaveForJson();
        }

        return _form.Read(buffer, start);
    }

    private TList ReadItems<TList>(ref MessagePackReader reader, TList items)
        where TList : IList
    {
        reader.Enter();
        for (var left = reader.ReadArrayHeader(); left > 0; left--)
        {
            items.Add(Element.ReadBoxed(ref reader));
        }

        reader.Leave();
        return items;
    }
}

internal static class Sequence
{
    private static readonly Type[] s_tables =
        [typeof(HashSet<>), typeof(ISet<>), typeof(IReadOnlySet<>), typeof(FrozenSet<>), typeof(ImmutableHashSet<>), typeof(IImmutableSet<>)];

    /// <summary>Whether JSON makes a table of hashes of it. A class that is written from scratch cannot be told from a list.</summary>
    public static bool IsTable(Type? type)
    {
        for (; type is not null; type = type.BaseType)
        {
            if (type.IsGenericType && s_tables.Contains(type.GetGenericTypeDefinition()))
            {
                return true;
            }
        }

        return false;
    }

    public static void Write<T>(ref MessagePackWriter writer, ReadOnlySpan<T> items, Codec<T> element)
    {
        writer.Enter();
        writer.WriteArrayHeader(items.Length);
        foreach (var item in items)
        {
            element.Write(ref writer, item);
        }

        writer.Leave();
    }

    public static List<T> ReadList<T>(ref MessagePackReader reader, Codec<T> element)
    {
        reader.Enter();
        var count = reader.ReadArrayHeader();
        var items = new List<T>(Capacity.For<T>(count));
        for (; count > 0; count--)
        {
            items.Add(element.Read(ref reader));
        }

        reader.Leave();
        return items;
    }
}
