using Microsoft.AspNetCore.Http;

namespace ServiceMesh.Http;

/// <summary>
/// Writes the body of an answer piece by piece, so that the server holds no second copy of it, and closes the connection of a caller that
/// reads it too slowly.
/// </summary>
internal static class AnswerBody
{
    private const int PieceSize = 64 * 1024;

    public static async Task WriteAsync(HttpContext http, ReadOnlyMemory<byte> body, int? bytesPerSecond, TimeProvider? clock)
    {
        if (body.Length <= PieceSize && bytesPerSecond is null)
        {
            await http.Response.Body.WriteAsync(body, http.RequestAborted).ConfigureAwait(false);
            return;
        }

        using var pace = new Pace(bytesPerSecond ?? 1, clock ?? TimeProvider.System, http.RequestAborted);
        for (var written = 0; written < body.Length; written += PieceSize)
        {
            var piece = body.Slice(written, Math.Min(PieceSize, body.Length - written));
            var writing = http.Response.Body.WriteAsync(piece, http.RequestAborted);
            if (writing.IsCompleted)
            {
                await writing.ConfigureAwait(false);
                continue;
            }

            // The server's buffer is full, so the caller does not read. A write cannot be cancelled in good order: the connection ends.
            var abort = pace.TokenAfter(written).UnsafeRegister(static state => ((HttpContext)state!).Abort(), http);
            await using (abort.ConfigureAwait(false))
            {
                await writing.ConfigureAwait(false);
            }
        }
    }
}
