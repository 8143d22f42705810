namespace ServiceMesh.Links;

/// <summary>
/// The body of the answer to a signal for individuals: how many of them took it, as a varint. Where a transport does not say that, the
/// body is empty. Pure.
/// </summary>
internal static class SignalCount
{
    private static readonly ReplyMessage[] s_small = [.. Enumerable.Range(0, 16).Select(Make)];

    public static ReplyMessage Write(int receivers) => (uint)receivers < s_small.Length ? s_small[receivers] : Make(receivers);

    /// <summary>The number in an answer; 0 when there is none.</summary>
    public static int Read(ReadOnlySpan<byte> body)
    {
        var value = 0UL;
        for (var i = 0; i < Math.Min(body.Length, 5); i++)
        {
            value |= (ulong)(body[i] & 0x7F) << (7 * i);
            if (body[i] < 0x80)
            {
                return (int)Math.Min(value, int.MaxValue);
            }
        }

        return 0;
    }

    private static ReplyMessage Make(int receivers)
    {
        using var buffer = new FrameBuffer();
        buffer.Varint((uint)receivers);
        return new() { Status = StatusCode.Ok, Body = buffer.Written.ToArray() };
    }
}
