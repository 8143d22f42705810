using System.Net;
using NUnit.Framework;
using ServiceMesh.Support;

namespace ServiceMesh.Http.Tests;

/// <summary>Requests that no server can be sent, by the caller's own mistake: the caller hears of it, and no server is blamed.</summary>
[CancelAfter(20_000)]
public sealed class OwnMistakeTests
{
    private static readonly Uri s_weather = new("http://weather/");

    private static IEnumerable<TestCaseData> Mistakes =>
    [
        Mistake("A_header_that_is_not_ASCII", "'X-User'", r => r.Headers.TryAddWithoutValidation("X-User", "Müller")),
        Mistake(
            "A_header_of_which_one_value_is_not_ASCII", "'X-User'", r => r.Headers.TryAddWithoutValidation("X-User", ["Meier", "Müller"])),
        Mistake("A_header_of_the_content_that_is_not_ASCII", "'X-Title'", r =>
        {
            r.Method = HttpMethod.Put;
            r.Content = new StringContent("text");
            r.Content.Headers.TryAddWithoutValidation("X-Title", "naïve");
        }),
        Mistake("More_content_than_was_said", "its Content-Length", r => Put(r, 3)),
        Mistake("Less_content_than_was_said", "its Content-Length", r => Put(r, 5)),
        Mistake("Chunks_without_content", "'Transfer-Encoding'", r => r.Headers.TransferEncodingChunked = true),
        Mistake(
            "A_version_that_is_not_spoken",
            "HTTP",
            r => (r.Version, r.VersionPolicy) = (HttpVersion.Version30, HttpVersionPolicy.RequestVersionExact)),
    ];

    [TestCaseSource(nameof(Mistakes))]
    public async Task A_header_that_cannot_be_sent_is_the_failure_of_the_caller(Action<HttpRequestMessage> spoil, string names)
    {
        await using var server = await FaultServer.StartAsync();
        using var services = ServiceMeshHandlerTests.Services([server]);
        using var http = new HttpClient(new ServiceMeshHandler(services, isOwner: false));
        using var request = new HttpRequestMessage(HttpMethod.Get, s_weather);
        spoil(request);

        var failure = await Assert.ThrowsAsync<HttpRequestException>(() => http.SendAsync(request));

        var endpoint = services.Find(s_weather)!.Group.Endpoints.Single();
        Assert.That(failure!.Message, Does.Contain(names).And.Not.Contain("It was attempt").And.Not.Contain("Müller"));
        Assert.That(
            (server.Executions, endpoint.LastFailed, endpoint.LastSuccess, endpoint.InFlight),
            Is.EqualTo((0, false, 0L, 0)),
            failure.ToString());
    }

    // If the platform takes it one day, the check is in the way.
    [Test]
    public async Task The_same_header_is_refused_by_HttpClient_itself()
    {
        await using var server = await FaultServer.StartAsync();
        using var http = new HttpClient();
        using var request = new HttpRequestMessage(HttpMethod.Get, $"http://{server.Address}/");
        request.Headers.TryAddWithoutValidation("X-User", "Müller");

        await Assert.ThatAsync(() => http.SendAsync(request), Throws.TypeOf<HttpRequestException>());
    }

    private static void Put(HttpRequestMessage request, long length)
    {
        request.Method = HttpMethod.Put;
        request.Content = new StreamContent(new MemoryStream("four"u8.ToArray())) { Headers = { ContentLength = length } };
    }

    private static TestCaseData Mistake(string name, string names, Action<HttpRequestMessage> spoil) =>
        new(spoil, names) { TestName = name };
}
