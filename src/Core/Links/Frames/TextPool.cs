using System.Text;
using System.Text.Unicode;

namespace ServiceMesh.Links;

/// <summary>
/// Turns UTF-8 into strings and keeps those that were read last: topics, groups and senders repeat from frame to frame.
/// Bounded: a table of fixed size in which a newer text replaces an older one. Thread-safe; races only cost a string.
/// </summary>
internal sealed class TextPool
{
    private const int Size = 512;
    private const int MaxKept = 128;

    private readonly Entry?[] _entries = new Entry?[Size];

    /// <summary>False for bytes that are not UTF-8.</summary>
    public bool TryRead(ReadOnlySpan<byte> bytes, out string text)
    {
        if (bytes.IsEmpty)
        {
            text = "";
            return true;
        }

        if (bytes.Length > MaxKept)
        {
            return TryDecode(bytes, out text);
        }

        var hash = new HashCode();
        hash.AddBytes(bytes);
        ref var slot = ref _entries[(uint)hash.ToHashCode() % Size];
        if (slot is { } known && bytes.SequenceEqual(known.Bytes))
        {
            text = known.Text;
            return true;
        }

        if (!TryDecode(bytes, out text))
        {
            return false;
        }

        slot = new(bytes.ToArray(), text);
        return true;
    }

    private static bool TryDecode(ReadOnlySpan<byte> bytes, out string text)
    {
        var isText = Utf8.IsValid(bytes);
        text = isText ? Encoding.UTF8.GetString(bytes) : "";
        return isText;
    }

    private sealed record Entry(byte[] Bytes, string Text);
}
