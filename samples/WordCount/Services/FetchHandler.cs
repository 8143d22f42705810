using System.Text;
using Microsoft.Extensions.Options;

namespace ServiceMesh.Samples.WordCount;

/// <summary>
/// <c>example.fetch</c>: reads any file and any URL that this process can reach, so offer it to trusted callers only.
/// Bytes that are not UTF-8 become U+FFFD; they belong to no word either way.
/// </summary>
public sealed class FetchHandler(IServiceBus bus, HttpClient http, IOptions<ServiceMeshOptions> options) : IRequestHandler<string, string>
{
    // HTTP has this status for the failure of a server that a service depends on.
    private const StatusCode BadGateway = (StatusCode)502;

    public async Task<string> HandleAsync(string source, HandlerContext context)
    {
        var token = context.CancellationToken;
        using var bytes = IsUrl(source) ? await ReadUrlAsync(source, token) : await ReadFileAsync(source, token);
        await bus.SignalAsync(Topics.Log, $"example.fetch: {bytes.Length} bytes from {source}", token);
        bytes.Position = 0;
        using var reader = new StreamReader(bytes, Encoding.UTF8);
        return await reader.ReadToEndAsync(token);
    }

    /// <summary>True for a source that is fetched over http(s); every other source is a file path.</summary>
    public static bool IsUrl(string source) =>
        source.StartsWith("http://", StringComparison.OrdinalIgnoreCase)
            || source.StartsWith("https://", StringComparison.OrdinalIgnoreCase);

    private async Task<MemoryStream> ReadFileAsync(string path, CancellationToken token)
    {
        if (Directory.Exists(path))
        {
            throw new ReplyException(StatusCode.BadRequest, $"'{path}' is a directory. Name a file.");
        }

        try
        {
            await using var file = File.OpenRead(path);
            return await ReadAsync(file, path, token);
        }
        catch (Exception failure) when (failure is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new ReplyException(StatusCode.NotFound, $"There is no file '{path}'.");
        }
        catch (UnauthorizedAccessException)
        {
            throw new ReplyException(StatusCode.Forbidden, $"This service has no permission to read '{path}'.");
        }
    }

    private async Task<MemoryStream> ReadUrlAsync(string url, CancellationToken token)
    {
        if (!Uri.TryCreate(url, UriKind.Absolute, out var address))
        {
            throw new ReplyException(StatusCode.BadRequest, $"'{url}' is not a URL.");
        }

        try
        {
            using var response = await http.GetAsync(address, HttpCompletionOption.ResponseHeadersRead, token);
            if (!response.IsSuccessStatusCode)
            {
                var status = (StatusCode)response.StatusCode is StatusCode.NotFound ? StatusCode.NotFound : BadGateway;
                throw new ReplyException(status, $"{url} answered {(int)response.StatusCode} {response.ReasonPhrase}.");
            }

            await using var body = await response.Content.ReadAsStreamAsync(token);
            return await ReadAsync(body, url, token);
        }
        catch (Exception failure) when (failure is HttpRequestException or IOException)
        {
            throw new ReplyException(BadGateway, $"{url} cannot be fetched: {failure.Message}", failure);
        }
    }

    // Stops at the limit instead of checking the length first: a URL need not have one, and /dev/zero has none.
    private async Task<MemoryStream> ReadAsync(Stream source, string name, CancellationToken token)
    {
        var limit = options.Value.Request.MaxBodyBytes;
        var bytes = new MemoryStream();
        var chunk = new byte[64 * 1024];
        int read;
        while ((read = await source.ReadAsync(chunk, token)) > 0)
        {
            if (bytes.Length + read > limit)
            {
                throw new ReplyException(
                    StatusCode.BodyTooLarge,
                    $"'{name}' has more than {limit} bytes, the limit of a message. Raise ServiceMesh:Request:MaxBodyBytes.");
            }

            bytes.Write(chunk, 0, read);
        }

        return bytes;
    }
}
