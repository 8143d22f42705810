using MessagePack;

namespace ServiceMesh.MessagePack;

/// <summary>
/// One reading of a body beside its type, before the library reads it: the library alone gives a missing member, null and a name in
/// another case their defaults. For one thread.
/// </summary>
/// <param name="isExact">Refuses members that the type does not have.</param>
/// <param name="maxDepth">How many arrays and maps may be nested.</param>
/// <param name="explains">Follows the path in the body, for the message; the first reading does without it.</param>
internal sealed class BodyCheck(bool isExact, int maxDepth, bool explains)
{
    private List<(int Start, int End, byte[] Name)>? _renamed;
    private int _depth;

    public bool IsExact => isExact;

    public bool Explains => explains;

    /// <summary>Why the body does not match; null while it does, and where only the library can say.</summary>
    public string? Fault { get; private set; }

    public long Position { get; private set; }

    /// <summary>Ends the reading: the body does not match.</summary>
    public bool Refuse(ref MessagePackReader reader, string fault)
    {
        (Fault, Position) = (fault, reader.Consumed + 1);
        return false;
    }

    /// <summary>Ends the reading without a fault: the library says what is wrong.</summary>
    public bool GiveUp()
    {
        _renamed = null;
        return false;
    }

    /// <summary>False where the body nests deeper than the library reads.</summary>
    public bool Enter() => ++_depth <= maxDepth || GiveUp();

    public void Leave() => _depth--;

    /// <summary>A name that differs from that of its member in case only.</summary>
    /// <param name="start">Where its first byte is.</param>
    /// <param name="end">Behind its last byte.</param>
    /// <param name="name">The encoded name of the member.</param>
    public void Rename(long start, long end, byte[] name) => (_renamed ??= []).Add(((int)start, (int)end, name));

    /// <summary>The body with the names of the members, for the library, which compares them with their case.</summary>
    public ReadOnlyMemory<byte> WithNamesOf(ReadOnlyMemory<byte> body)
    {
        if (_renamed is null)
        {
            return body;
        }

        var (copy, from) = (new MemoryStream(body.Length + 16), 0);
        foreach (var (start, end, name) in _renamed)
        {
            copy.Write(body.Span[from..start]);
            copy.Write(name);
            from = end;
        }

        copy.Write(body.Span[from..]);
        return copy.GetBuffer().AsMemory(0, (int)copy.Length);
    }

    /// <summary>Passes over one value, however deep it is.</summary>
    public static void Skip(ref MessagePackReader reader)
    {
        for (var left = 1L; left > 0; left--)
        {
            switch (reader.NextMessagePackType)
            {
                case MessagePackType.Array:
                    left += reader.ReadArrayHeader();
                    break;
                case MessagePackType.Map:
                    left += 2L * reader.ReadMapHeader();
                    break;
                default:
                    reader.Skip();
                    break;
            }
        }
    }
}
