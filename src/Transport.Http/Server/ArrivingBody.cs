using System.Buffers;
using System.IO.Pipelines;

namespace ServiceMesh.Http;

/// <summary>
/// Reads the body of a request within the limits of the node: its size, the bytes in flight, and the time that it may take. Memory is
/// taken for the bytes that have arrived, never for those that were announced.
/// </summary>
internal static class ArrivingBody
{
    private const int ChunkSize = 64 * 1024;

    /// <summary>How long a body may take, and an answer may remain unread, before its speed counts.</summary>
    public static readonly TimeSpan Grace = TimeSpan.FromSeconds(5);

    /// <summary>Whether a body takes more than a moment and little memory to read, or may do so because its length is not known.</summary>
    public static bool IsLarge(long? announced) => announced is null or > ChunkSize;

    /// <summary>Reads the whole body.</summary>
    /// <param name="stream">The body.</param>
    /// <param name="announced">Its announced length; null if it is not announced.</param>
    /// <param name="limit">The maximum number of bytes.</param>
    /// <param name="room">Counts the bytes; those of the body stay counted.</param>
    /// <param name="bytesPerSecond">The least speed.</param>
    /// <param name="clock">The clock.</param>
    /// <param name="arrived">The same body as a pipe, for what has arrived already, which needs no timer; null for none.</param>
    /// <param name="gone">Fires when the caller has closed the connection.</param>
    /// <exception cref="OperationCanceledException">The caller has closed the connection.</exception>
    public static async ValueTask<(byte[]? Body, BodyFault Fault)> ReadAsync(
        Stream stream, long? announced, int limit, BytesInFlight.Exchange room, int bytesPerSecond, TimeProvider clock,
        PipeReader? arrived, CancellationToken gone)
    {
        if (announced > limit)
        {
            return (null, BodyFault.TooLarge);
        }

        if (announced == 0)
        {
            // A caller that does not read its answers must not go on asking without a body.
            return room.TryTake(0) ? ([], BodyFault.None) : (null, BodyFault.NoRoom);
        }

        if (announced <= ChunkSize && arrived is not null && TryReadArrived(arrived, (int)announced.Value, room) is { } whole)
        {
            return (whole, BodyFault.None);
        }

        using var pace = new Pace(bytesPerSecond, clock, gone);
        try
        {
            return announced <= ChunkSize
                ? await ReadSmallAsync(stream, (int)announced.Value, room, pace).ConfigureAwait(false)
                : await ReadChunksAsync(stream, limit, room, pace).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (pace.IsTooSlow)
        {
            return (null, BodyFault.TooSlow);
        }
    }

    private static byte[]? TryReadArrived(PipeReader arrived, int length, BytesInFlight.Exchange room)
    {
        if (!arrived.TryRead(out var result))
        {
            return null;
        }

        if (result.Buffer.Length < length || !room.TryTake(length))
        {
            arrived.AdvanceTo(result.Buffer.Start);
            return null;
        }

        var body = result.Buffer.Slice(0, length).ToArray();
        arrived.AdvanceTo(result.Buffer.GetPosition(length));
        return body;
    }

    private static async ValueTask<(byte[]? Body, BodyFault Fault)> ReadSmallAsync(
        Stream stream, int length, BytesInFlight.Exchange room, Pace pace)
    {
        if (!room.TryTake(length))
        {
            return (null, BodyFault.NoRoom);
        }

        var body = new byte[length];
        var filled = await FillAsync(stream, body, 0, pace).ConfigureAwait(false);
        return (filled == length ? body : body[..filled], BodyFault.None);
    }

    private static async ValueTask<(byte[]? Body, BodyFault Fault)> ReadChunksAsync(
        Stream stream, int limit, BytesInFlight.Exchange room, Pace pace)
    {
        var chunks = new List<byte[]>();
        long length = 0;
        try
        {
            var filled = ChunkSize;
            while (filled == ChunkSize)
            {
                if (!room.TryTake(ChunkSize))
                {
                    return (null, BodyFault.NoRoom);
                }

                chunks.Add(ArrayPool<byte>.Shared.Rent(ChunkSize));
                filled = await FillAsync(stream, chunks[^1].AsMemory(0, ChunkSize), length, pace).ConfigureAwait(false);
                length += filled;
                if (length > limit)
                {
                    return (null, BodyFault.TooLarge);
                }
            }

            room.Take((int)length);
            return (Join(chunks, (int)length), BodyFault.None);
        }
        finally
        {
            foreach (var chunk in chunks)
            {
                ArrayPool<byte>.Shared.Return(chunk);
            }

            room.Take(-ChunkSize * chunks.Count);
        }
    }

    private static byte[] Join(List<byte[]> chunks, int length)
    {
        var body = new byte[length];
        for (var i = 0; i * ChunkSize < length; i++)
        {
            chunks[i].AsSpan(0, Math.Min(ChunkSize, length - (i * ChunkSize))).CopyTo(body.AsSpan(i * ChunkSize));
        }

        return body;
    }

    // Fills the buffer, or as much of it as there is.
    private static async ValueTask<int> FillAsync(Stream stream, Memory<byte> buffer, long before, Pace pace)
    {
        var filled = 0;
        while (filled < buffer.Length)
        {
            var reading = stream.ReadAsync(buffer[filled..], pace.TokenAfter(before + filled));
            var read = await reading.ConfigureAwait(false);
            if (read == 0)
            {
                break;
            }

            filled += read;
        }

        return filled;
    }
}

/// <summary>Why a body was not read.</summary>
internal enum BodyFault
{
    /// <summary>It was read.</summary>
    None,

    /// <summary>It is longer than the limit.</summary>
    TooLarge,

    /// <summary>The node, or the connection, holds as many bytes as it may.</summary>
    NoRoom,

    /// <summary>It arrives more slowly than it must.</summary>
    TooSlow,
}
