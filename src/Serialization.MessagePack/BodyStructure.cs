using System.Buffers.Binary;

namespace ServiceMesh.MessagePack;

/// <summary>
/// Checks the outline of a body before the library reads it: exactly one value, no deeper than allowed, each length backed by
/// bytes. The library trusts a length when as many bytes follow, so 64 nested arrays that all claim the same bytes would make
/// it allocate 512 times the size of the body.
/// </summary>
internal static class BodyStructure
{
    /// <summary>What is wrong with a body, as the second half of a sentence; null for a good body, which allocates nothing.</summary>
    public static string? Complaint(ReadOnlySpan<byte> body, int maxDepth)
    {
        // How many values are missing at each level, the innermost one last.
        Span<long> missing = stackalloc long[maxDepth + 1];
        missing[0] = 1;
        var depth = 0;
        var at = 0;
        while (true)
        {
            while (missing[depth] == 0)
            {
                if (depth == 0)
                {
                    return at == body.Length ? null : $"{body.Length - at} bytes are left over after the value, which ends at byte {at}.";
                }

                depth--;
            }

            missing[depth]--;
            var start = at;
            if (!TryTake(body, ref at, out var values))
            {
                return start < body.Length && body[start] == 0xc1
                    ? $"0xc1 does not begin a value, at byte {start + 1}."
                    : $"it ends in the value that begins at byte {start + 1}, after {body.Length} bytes.";
            }

            // Each value has at least one byte.
            if (values > body.Length - at)
            {
                return $"the value that begins at byte {start + 1} has {values} elements, and {body.Length - at} bytes are left.";
            }

            if (values >= 0)
            {
                if (depth == maxDepth)
                {
                    return $"it is nested deeper than {maxDepth} levels, at byte {start + 1}.";
                }

                missing[++depth] = values;
            }
        }
    }

    // Takes one value, or the header of a map or an array. The number of values in a map or an array; -1 for any other value.
    private static bool TryTake(ReadOnlySpan<byte> body, ref int at, out long values)
    {
        values = -1;
        if (at >= body.Length)
        {
            return false;
        }

        var code = body[at++];
        switch (code)
        {
            case <= 0x7f or >= 0xe0 or 0xc0 or 0xc2 or 0xc3: // small integers, nil, false, true
                return true;
            case <= 0x8f:
                values = (code & 0x0f) * 2;
                return true;
            case <= 0x9f:
                values = code & 0x0f;
                return true;
            case <= 0xbf:
                return TrySkip(body, ref at, code & 0x1f);
            case 0xc1:
                return false;
            case 0xc4 or 0xd9: // bin 8, str 8
                return TryLength(body, ref at, 1, out var length) && TrySkip(body, ref at, length);
            case 0xc5 or 0xda:
                return TryLength(body, ref at, 2, out length) && TrySkip(body, ref at, length);
            case 0xc6 or 0xdb:
                return TryLength(body, ref at, 4, out length) && TrySkip(body, ref at, length);
            case 0xc7: // ext 8, with its type
                return TryLength(body, ref at, 1, out length) && TrySkip(body, ref at, length + 1);
            case 0xc8:
                return TryLength(body, ref at, 2, out length) && TrySkip(body, ref at, length + 1);
            case 0xc9:
                return TryLength(body, ref at, 4, out length) && TrySkip(body, ref at, length + 1);
            case 0xcc or 0xd0: // integers and floats by their size
                return TrySkip(body, ref at, 1);
            case 0xcd or 0xd1:
                return TrySkip(body, ref at, 2);
            case 0xca or 0xce or 0xd2:
                return TrySkip(body, ref at, 4);
            case 0xcb or 0xcf or 0xd3:
                return TrySkip(body, ref at, 8);
            case <= 0xd8: // fixext 1, 2, 4, 8 and 16, with its type
                return TrySkip(body, ref at, (1 << (code - 0xd4)) + 1);
            case 0xdc:
                return TryLength(body, ref at, 2, out values);
            case 0xdd:
                return TryLength(body, ref at, 4, out values);
            default: // map 16, map 32
                var isMap = TryLength(body, ref at, code == 0xde ? 2 : 4, out values);
                values *= 2;
                return isMap;
        }
    }

    private static bool TryLength(ReadOnlySpan<byte> body, ref int at, int size, out long length)
    {
        length = 0;
        if (body.Length - at < size)
        {
            return false;
        }

        length = size switch
        {
            1 => body[at],
            2 => BinaryPrimitives.ReadUInt16BigEndian(body[at..]),
            _ => BinaryPrimitives.ReadUInt32BigEndian(body[at..]),
        };
        at += size;
        return true;
    }

    private static bool TrySkip(ReadOnlySpan<byte> body, ref int at, long bytes)
    {
        if (body.Length - at < bytes)
        {
            return false;
        }

        at += (int)bytes;
        return true;
    }
}
