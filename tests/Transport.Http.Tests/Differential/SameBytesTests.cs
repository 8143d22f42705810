using System.Text;
using NUnit.Framework;

namespace ServiceMesh.Http.Tests;

/// <summary>
/// What a server receives from an HttpClient with the mesh is what it receives from a plain one, byte for byte. The same kinds of request
/// go to one server through both. Accepted differences are in docs/http-clients.md, under "What differs on the wire".
/// </summary>
[CancelAfter(30_000)]
public sealed class SameBytesTests
{
    private static IEnumerable<string> Kinds => RequestKinds.All.Keys;

    [TestCaseSource(nameof(Kinds))]
    public async Task A_request_has_the_bytes_of_a_plain_client(string kind, CancellationToken cancellationToken)
    {
        await using var server = new WireServer();
        using var plain = new HttpMessageInvoker(
            new SocketsHttpHandler { UseProxy = false, AllowAutoRedirect = false, UseCookies = false });
        using var mesh = new HttpMessageInvoker(
            new ServiceMeshHandler(new() { Services = { ["weather"] = new() { Address = $"static:{server.Address}" } } }));

        var expected = await ReceivedAsync(plain, server, $"http://{server.Address}", kind, cancellationToken);
        var received = await ReceivedAsync(mesh, server, "http://weather", kind, cancellationToken);

        Assert.That(received, Is.EqualTo(expected));
    }

    [Test]
    public void The_table_has_at_least_sixty_kinds_of_request() => Assert.That(RequestKinds.All, Has.Count.GreaterThanOrEqualTo(60));

    private static async Task<string> ReceivedAsync(
        HttpMessageInvoker client, WireServer server, string uri, string kind, CancellationToken cancellationToken)
    {
        using var request = RequestKinds.All[kind](uri);
        var end = new StringBuilder();
        try
        {
            using var response = await client.SendAsync(request, cancellationToken);
            end.Append(response.StatusCode);
        }
        catch (HttpRequestException)
        {
            end.Append(nameof(HttpRequestException)); // the texts differ
        }

        return $"{string.Join("\n--- and ---\n", server.Take())}\n--- {end}";
    }
}
