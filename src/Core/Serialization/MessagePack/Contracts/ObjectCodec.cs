using System.Buffers;
using System.Diagnostics;
using System.Text.Json.Serialization.Metadata;

namespace ServiceMesh;

/// <summary>What has members, for those who know of the object more than its codec does: its discriminator.</summary>
internal interface IMemberCodec
{
    /// <param name="writer">Where to.</param>
    /// <param name="value">The object, not null.</param>
    /// <param name="discriminator">An encoded key with its value, which goes first; or nothing.</param>
    void WriteMembers(ref MessagePackWriter writer, object value, ReadOnlySpan<byte> discriminator);

    /// <param name="reader">After the header of the map.</param>
    /// <param name="count">How many members the map has.</param>
    /// <param name="ignored">An encoded key that is none of the members and yet known; or nothing.</param>
    object ReadMembers(ref MessagePackReader reader, int count, ReadOnlySpan<byte> ignored);
}

/// <summary>Objects as maps from name to value, and tuples as arrays.</summary>
internal sealed class ObjectCodec<T>(CodecSet codecs, JsonTypeInfo contract) : Codec<T>, IMemberCodec
{
    private ObjectLayout<T>? _layout;

    // One set of slots waits here for the next object; whoever finds none makes another.
    private Slot[]? _spareSlots;

    // Made late: a type may contain itself.
    private ObjectLayout<T> Layout => _layout ??= new(codecs, contract);

    public override void Write(ref MessagePackWriter writer, T value)
    {
        if (value is null)
        {
            writer.WriteNil();
        }
        else if (Layout.IsTuple)
        {
            WriteItems(ref writer, value);
        }
        else
        {
            WriteMembers(ref writer, value, default);
        }
    }

    public override T Read(ref MessagePackReader reader)
    {
        if (default(T) is null && !contract.Type.IsValueType && reader.TryReadNil())
        {
            return default!;
        }

        if (Layout.JsonForm is { } form)
        {
            return (T)ReadByJson(ref reader, form)!;
        }

        reader.Enter();
        var value = Layout.IsTuple && reader.NextKind == MessagePackKind.Array
            ? ReadItems(ref reader)
            : ReadMembers(ref reader, reader.ReadMapHeader(), default);
        reader.Leave();
        return value;
    }

    private object? ReadByJson(ref MessagePackReader reader, JsonForm form)
    {
        var start = reader.Position;
        var buffer = new ArrayBufferWriter<byte>();
        reader.EnterForJson();
        using (var json = JsonText.Into(buffer))
        {
            json.WriteStartObject();
            var expected = 0;
            for (var left = reader.ReadMapHeader(); left > 0; left--)
            {
                var index = Layout.FindKey(ref reader, expected, out var name);
                expected = Math.Max(index, -1) + 1;
                if (index >= 0)
                {
                    Layout.Known[index].Copy(ref reader, json);
                }
                else if (index == ObjectLayout<T>.NoName)
                {
                    reader.Skip();
                }
                else
                {
                    json.WritePropertyName(name);
                    JsonText.Copy(ref reader, json);
                }
            }

            json.WriteEndObject();
        }

        reader.LeaveForJson();
        return form.Read(buffer, start);
    }

    void IMemberCodec.WriteMembers(ref MessagePackWriter writer, object value, ReadOnlySpan<byte> discriminator) =>
        WriteMembers(ref writer, (T)value, discriminator);

    object IMemberCodec.ReadMembers(ref MessagePackReader reader, int count, ReadOnlySpan<byte> ignored) => ReadMembers(ref reader, count, ignored)!;

    private void WriteMembers(ref MessagePackWriter writer, T value, ReadOnlySpan<byte> discriminator)
    {
        var layout = Layout;
        writer.Enter();
        layout.OnSerializing?.Invoke(value!);
        var first = discriminator.IsEmpty ? 0 : 1;
        if (layout.IsConditional)
        {
            WriteSome(ref writer, ref value, layout, discriminator);
        }
        else
        {
            writer.WriteMapHeader(layout.Written.Length + first);
            writer.WriteRaw(discriminator);
            foreach (var member in layout.Written)
            {
                writer.WriteRaw(member.Key);
                member.Write(ref writer, ref value);
            }
        }

        layout.OnSerialized?.Invoke(value!);
        writer.Leave();
    }

    // The count goes in front, so every member is asked first, and the answers are kept: asked again it might say otherwise.
    private static void WriteSome(ref MessagePackWriter writer, ref T value, ObjectLayout<T> layout, ReadOnlySpan<byte> discriminator)
    {
        Span<bool> present = stackalloc bool[layout.Written.Length];
        var count = discriminator.IsEmpty ? 0 : 1;
        for (var i = 0; i < present.Length; i++)
        {
            var member = layout.Written[i];
            present[i] = !member.IsConditional || member.IsPresent(ref value);
            count += present[i] ? 1 : 0;
        }

        var more = layout.Unknown?.Entries(value!);
        writer.WriteMapHeader(count + (more?.Count ?? 0));
        writer.WriteRaw(discriminator);
        for (var i = 0; i < present.Length; i++)
        {
            if (present[i])
            {
                writer.WriteRaw(layout.Written[i].Key);
                layout.Written[i].Write(ref writer, ref value);
            }
        }

        foreach (var (name, element) in more ?? [])
        {
            writer.WriteString(name);
            layout.Unknown!.Write(ref writer, element);
        }
    }

    private void WriteItems(ref MessagePackWriter writer, T value)
    {
        writer.Enter();
        writer.WriteArrayHeader(Layout.Written.Length);
        foreach (var member in Layout.Written)
        {
            member.Write(ref writer, ref value);
        }

        writer.Leave();
    }

    private T ReadItems(ref MessagePackReader reader)
    {
        var layout = Layout;
        var start = reader.Position;
        if (reader.ReadArrayHeader() != layout.Known.Length)
        {
            throw MessagePackReader.OutOfRange($"an array of {layout.Known.Length} items", start);
        }

        var building = Begin(layout);
        for (var i = 0; i < layout.Known.Length; i++)
        {
            Read(ref reader, layout, i, ref building);
        }

        return End(layout, ref building, ~0UL, []);
    }

    private T ReadMembers(ref MessagePackReader reader, int count, ReadOnlySpan<byte> ignored)
    {
        var layout = Layout;
        var start = reader.Position;
        var building = Begin(layout);
        var more = default(List<KeyValuePair<string, object?>>);
        // The first 64 members are marked in a register; few types have more.
        var seen = 0UL;
        Span<ulong> seenAbove = layout.Known.Length > 64 ? stackalloc ulong[layout.Known.Length >> 6] : [];
        var expected = 0;
        for (; count > 0; count--)
        {
            var index = layout.FindKey(ref reader, expected, out var name);
            if (index < 0)
            {
                ReadUnknown(ref reader, layout, index != ObjectLayout<T>.NoName, name, ignored, ref more);
                continue;
            }

            expected = index + 1;
            ref var mark = ref index < 64 ? ref seen : ref seenAbove[(index >> 6) - 1];
            if (!layout.AllowDuplicates && (mark & (1UL << index)) != 0)
            {
                throw new MessagePackException($"The member '{layout.Known[index].Name}' occurs twice", reader.Position);
            }

            mark |= 1UL << index;
            Read(ref reader, layout, index, ref building);
        }

        if (layout.MissingOf(seen, seenAbove) is { } missing)
        {
            throw new MessagePackException($"Required members are missing: {missing}", start);
        }

        var value = End(layout, ref building, seen, seenAbove);
        if (more is not null)
        {
            object boxed = value!; // the object itself, or a copy of a struct
            layout.Unknown!.Store(boxed, more);
            value = (T)boxed;
        }

        return value;
    }

    private static void Read(ref MessagePackReader reader, ObjectLayout<T> layout, int index, ref Building building)
    {
        var member = layout.Known[index];
        if (!member.IsRead)
        {
            reader.Skip();
        }
        else if (building.Slots is { } slots)
        {
            member.Read(ref reader, slots[index]);
        }
        else
        {
            member.Read(ref reader, ref building.Owner!);
        }
    }

    private static void ReadUnknown(
        ref MessagePackReader reader, ObjectLayout<T> layout, bool hasName, scoped ReadOnlySpan<byte> name, scoped ReadOnlySpan<byte> ignored,
        ref List<KeyValuePair<string, object?>>? more)
    {
        if (hasName && !ignored.IsEmpty && name.SequenceEqual(ignored))
        {
            reader.Skip();
        }
        else if (layout.Unknown is not null)
        {
            if (!hasName)
            {
                throw new MessagePackException($"A key of {layout.TypeName} is neither a string nor an integer, and cannot be kept", reader.Position);
            }

            (more ??= []).Add(ExtensionData.Read(ref reader, name));
        }
        else if (layout.RefusesUnknown)
        {
            throw new MessagePackException($"A member is unknown to {layout.TypeName}, which allows none", reader.Position);
        }
        else
        {
            reader.Skip();
        }
    }

    private Building Begin(ObjectLayout<T> layout)
    {
        var building = default(Building);
        if (layout.Construct is null)
        {
            building.Owner = layout.Create();
            layout.OnDeserializing?.Invoke(building.Owner!);
        }
        else
        {
            building.Slots = Interlocked.Exchange(ref _spareSlots, null) ?? layout.MakeSlots();
        }

        return building;
    }

    private T End(ObjectLayout<T> layout, ref Building building, ulong seen, ReadOnlySpan<ulong> seenAbove)
    {
        if (building.Slots is { } slots)
        {
            building.Owner = layout.Construct!(slots);
            layout.OnDeserializing?.Invoke(building.Owner!);
            foreach (var index in layout.AssignedLater)
            {
                if (((index < 64 ? seen : seenAbove[(index >> 6) - 1]) & (1UL << index)) != 0)
                {
                    layout.Known[index].Assign(slots[index], ref building.Owner!);
                }
            }

            foreach (var slot in slots)
            {
                slot.Reset();
            }

            // After an exception the slots are simply not given back.
            Volatile.Write(ref _spareSlots, slots);
        }

        Debug.Assert(building.Owner is not null, "either made at the beginning or just now");
        layout.OnDeserialized?.Invoke(building.Owner!);
        return building.Owner!;
    }

    /// <summary>The object, or what will be one.</summary>
    private struct Building
    {
        public T? Owner;
        public Slot[]? Slots;
    }
}
