namespace ServiceMesh.Http;

/// <summary>Reads a body that may not be longer than a limit, and takes no more memory than has really come.</summary>
internal static class BoundedBody
{
    private const int FirstBuffer = 64 * 1024;

    /// <summary>The whole body, or null when it is longer: known from its announced length before anything is read.</summary>
    public static async Task<byte[]?> ReadAsync(Stream stream, long? announced, int limit, CancellationToken cancellationToken)
    {
        if (announced > limit)
        {
            return null;
        }

        // One byte more than is allowed shows that there is more.
        var most = (int)Math.Min(announced ?? (limit + 1L), Array.MaxLength);
        var buffer = new byte[Math.Min(most, FirstBuffer)];
        var length = 0;
        while (true)
        {
            if (length == buffer.Length)
            {
                if (length >= most)
                {
                    break;
                }

                Array.Resize(ref buffer, (int)Math.Min(most, buffer.Length * 2L));
            }

            var read = await stream.ReadAsync(buffer.AsMemory(length), cancellationToken).ConfigureAwait(false);
            if (read == 0)
            {
                break;
            }

            length += read;
        }

        if (length > limit)
        {
            return null;
        }

        Array.Resize(ref buffer, length);
        return buffer;
    }
}
