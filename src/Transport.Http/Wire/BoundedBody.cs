using System.Runtime.CompilerServices;

namespace ServiceMesh.Http;

/// <summary>Reads a body up to a limit, and allocates no more memory than for the bytes that have arrived.</summary>
internal static class BoundedBody
{
    private const int FirstBuffer = 64 * 1024;

    /// <summary>The whole body; null if it is longer than the limit, which its announced length may show before anything is read.</summary>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public static async ValueTask<byte[]?> ReadAsync(Stream stream, long? announced, int limit, CancellationToken cancellationToken)
    {
        if (announced > limit)
        {
            return null;
        }

        // One byte more than the limit shows that the body is longer.
        var max = (int)Math.Min(announced ?? (limit + 1L), Array.MaxLength);
        var buffer = new byte[Math.Min(max, FirstBuffer)];
        var length = 0;
        while (true)
        {
            if (length == buffer.Length)
            {
                if (length >= max)
                {
                    break;
                }

                Array.Resize(ref buffer, (int)Math.Min(max, buffer.Length * 2L));
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
