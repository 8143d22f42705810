namespace ServiceMesh.Support;

/// <summary>
/// Bytes of any length that both ends know without keeping them: random ones that repeat after a prime number of bytes, so
/// that a buffer which is repeated, left out or shifted shows.
/// </summary>
public static class BytePattern
{
    private static readonly byte[] s_bytes = Make();

    /// <summary>Writes what stands at an offset.</summary>
    public static void Fill(Span<byte> target, long offset)
    {
        while (!target.IsEmpty)
        {
            var part = At(offset, target.Length);
            part.CopyTo(target);
            target = target[part.Length..];
            offset += part.Length;
        }
    }

    /// <summary>Whether these bytes are what stands at an offset.</summary>
    public static bool Matches(ReadOnlySpan<byte> bytes, long offset)
    {
        while (!bytes.IsEmpty)
        {
            var part = At(offset, bytes.Length);
            if (!bytes.StartsWith(part))
            {
                return false;
            }

            bytes = bytes[part.Length..];
            offset += part.Length;
        }

        return true;
    }

    private static ReadOnlySpan<byte> At(long offset, int length)
    {
        var start = (int)(offset % s_bytes.Length);
        return s_bytes.AsSpan(start, Math.Min(length, s_bytes.Length - start));
    }

    private static byte[] Make()
    {
        var bytes = new byte[65_521];
        new Random(17).NextBytes(bytes);
        return bytes;
    }
}
