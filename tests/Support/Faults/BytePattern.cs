namespace ServiceMesh.Support;

/// <summary>
/// Bytes of any length that both ends can compute: random bytes that repeat after a prime number of bytes, so that a buffer
/// that is repeated, omitted or shifted is detected.
/// </summary>
public static class BytePattern
{
    private static readonly byte[] s_bytes = Make();

    /// <summary>Writes the bytes of the pattern from an offset on.</summary>
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

    /// <summary>Whether the bytes equal the pattern from an offset on.</summary>
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
