using MessagePack;

namespace ServiceMesh.MessagePack;

/// <summary>What the body of a type looks like, as far as it can be checked before the library reads it. Immutable, thread-safe.</summary>
/// <param name="words">What a value is, with an article.</param>
/// <param name="takesNull">Whether null is a value of the type.</param>
internal abstract class BodyShape(string words, bool takesNull)
{
    public string Words => words;

    /// <summary>The shapes within it that have something to check.</summary>
    public virtual IEnumerable<BodyShape> Parts => [];

    /// <summary>Whether a body must be checked before it is read; otherwise the check only explains what the library refused.</summary>
    public virtual bool IsChecked => false;

    /// <summary>Reads one value. False when it does not match; the check then has the fault.</summary>
    public bool Match(ref MessagePackReader reader, BodyPath at, BodyCheck check)
    {
        if (!reader.IsNil)
        {
            return MatchValue(ref reader, at, check);
        }

        if (!takesNull)
        {
            return check.Refuse(ref reader, at.Null(words));
        }

        reader.ReadNil();
        return true;
    }

    protected abstract bool MatchValue(ref MessagePackReader reader, BodyPath at, BodyCheck check);

    protected bool Mismatch(ref MessagePackReader reader, BodyPath at, BodyCheck check) =>
        check.Refuse(ref reader, at.Mismatch(Found(reader.NextMessagePackType), words));

    private static string Found(MessagePackType type) => type switch
    {
        MessagePackType.Integer => "an integer",
        MessagePackType.Nil => "null",
        MessagePackType.Boolean => "a boolean",
        MessagePackType.Float => "a number",
        MessagePackType.String => "a string",
        MessagePackType.Binary => "bytes",
        MessagePackType.Array => "an array",
        MessagePackType.Map => "an object",
        MessagePackType.Extension => "an extension",
        _ => "not a value",
    };
}

/// <summary>A value whose form only its formatter knows.</summary>
internal sealed class AnyShape(string words, bool takesNull) : BodyShape(words, takesNull)
{
    protected override bool MatchValue(ref MessagePackReader reader, BodyPath at, BodyCheck check)
    {
        BodyCheck.Skip(ref reader);
        return true;
    }
}

/// <summary>A single value: a number, a text.</summary>
/// <param name="words">What a value is.</param>
/// <param name="takesNull">Whether null is a value of the type.</param>
/// <param name="forms">The forms that the library's formatter reads.</param>
internal sealed class ScalarShape(string words, bool takesNull, params MessagePackType[] forms) : BodyShape(words, takesNull)
{
    protected override bool MatchValue(ref MessagePackReader reader, BodyPath at, BodyCheck check)
    {
        if (!forms.Contains(reader.NextMessagePackType))
        {
            return Mismatch(ref reader, at, check);
        }

        BodyCheck.Skip(ref reader);
        return true;
    }
}

/// <summary>Items of one type.</summary>
internal sealed class SequenceShape(string words, bool takesNull, Lazy<BodyShape> item) : BodyShape(words, takesNull)
{
    public override IEnumerable<BodyShape> Parts => [item.Value];

    protected override bool MatchValue(ref MessagePackReader reader, BodyPath at, BodyCheck check)
    {
        if (reader.NextMessagePackType != MessagePackType.Array)
        {
            return Mismatch(ref reader, at, check);
        }

        if (!check.Enter())
        {
            return false;
        }

        var count = reader.ReadArrayHeader();
        for (var i = 0; i < count; i++)
        {
            if (!item.Value.Match(ref reader, check.Explains ? at.Item(i) : default, check))
            {
                return false;
            }
        }

        check.Leave();
        return true;
    }
}

/// <summary>Values by keys.</summary>
internal sealed class TableShape(string words, bool takesNull, Lazy<BodyShape> value) : BodyShape(words, takesNull)
{
    public override IEnumerable<BodyShape> Parts => [value.Value];

    protected override bool MatchValue(ref MessagePackReader reader, BodyPath at, BodyCheck check)
    {
        if (reader.NextMessagePackType != MessagePackType.Map)
        {
            return Mismatch(ref reader, at, check);
        }

        if (!check.Enter())
        {
            return false;
        }

        for (var left = reader.ReadMapHeader(); left > 0; left--)
        {
            var key = check.Explains && reader.NextMessagePackType == MessagePackType.String
                ? reader.CreatePeekReader().ReadString()!
                : "*";
            BodyCheck.Skip(ref reader);
            if (!value.Value.Match(ref reader, check.Explains ? at.Named(key, isKnown: true) : default, check))
            {
                return false;
            }
        }

        check.Leave();
        return true;
    }
}

/// <summary>A tuple or a pair: an array of as many items as it has parts.</summary>
internal sealed class TupleShape(string words, bool takesNull, Lazy<BodyShape>[] parts) : BodyShape(words, takesNull)
{
    public override IEnumerable<BodyShape> Parts => parts.Select(p => p.Value);

    protected override bool MatchValue(ref MessagePackReader reader, BodyPath at, BodyCheck check)
    {
        if (reader.NextMessagePackType != MessagePackType.Array)
        {
            return Mismatch(ref reader, at, check);
        }

        if (!check.Enter())
        {
            return false;
        }

        if (reader.ReadArrayHeader() != parts.Length)
        {
            return check.Refuse(ref reader, at.Mismatch("an array of another length", Words));
        }

        for (var i = 0; i < parts.Length; i++)
        {
            if (!parts[i].Value.Match(ref reader, check.Explains ? at.Item(i) : default, check))
            {
                return false;
            }
        }

        check.Leave();
        return true;
    }
}

/// <summary>A value of one of several types: an array of a number and the value.</summary>
internal sealed class UnionShape(string words, Dictionary<int, Lazy<BodyShape>> cases) : BodyShape(words, takesNull: true)
{
    public override IEnumerable<BodyShape> Parts => cases.Values.Select(c => c.Value);

    protected override bool MatchValue(ref MessagePackReader reader, BodyPath at, BodyCheck check)
    {
        if (reader.NextMessagePackType != MessagePackType.Array)
        {
            return Mismatch(ref reader, at, check);
        }

        if (!check.Enter())
        {
            return false;
        }

        if (reader.ReadArrayHeader() != 2 || reader.NextMessagePackType != MessagePackType.Integer)
        {
            return check.Refuse(ref reader, at.Mismatch("an array that is not a number and a value", Words));
        }

        if (!cases.TryGetValue(reader.ReadInt32(), out var one))
        {
            return check.Refuse(ref reader, at.Mismatch("of a number that the union does not have", Words));
        }

        if (!one.Value.Match(ref reader, at, check))
        {
            return false;
        }

        check.Leave();
        return true;
    }
}
