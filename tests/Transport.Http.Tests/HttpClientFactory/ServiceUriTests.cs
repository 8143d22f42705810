using System.Net.Http.Json;
using NUnit.Framework;
using ServiceMesh.Support;

namespace ServiceMesh.Http.Tests;

/// <summary>URIs as .NET's service discovery writes them.</summary>
[CancelAfter(60_000)]
public sealed class ServiceUriTests
{
    [TestCase("http://weather/now")]
    [TestCase("https+http://weather/now")]
    [TestCase("http+https://weather/now")]
    public async Task The_addresses_decide_about_TLS_where_the_scheme_leaves_it_open(string uri, CancellationToken cancellationToken)
    {
        await using var server = await FaultServer.StartAsync();
        using var http = new HttpClient(new ServiceMeshHandler(ServiceMeshHandlerTests.Options([server])));

        var answer = await http.GetFromJsonAsync<FaultServerAnswer>(uri, cancellationToken);

        Assert.That((answer!.Server, answer.Path), Is.EqualTo((server.Address, "/now")));
    }

    [Test]
    public async Task A_base_address_may_have_both_schemes(CancellationToken cancellationToken)
    {
        await using var server = await FaultServer.StartAsync();
        using var http = new HttpClient(new ServiceMeshHandler(ServiceMeshHandlerTests.Options([server])))
        {
            BaseAddress = new("https+http://weather"),
        };

        Assert.That((await http.GetFromJsonAsync<FaultServerAnswer>("/api/now?a=b", cancellationToken))!.Path, Does.StartWith("/api/now"));
    }

    [Test]
    public async Task A_named_endpoint_of_a_service_has_its_own_addresses(CancellationToken cancellationToken)
    {
        await using var server = await FaultServer.StartAsync();
        await using var admin = await FaultServer.StartAsync();
        var options = ServiceMeshHandlerTests.Options([server]);
        options.Services["weather"].Endpoints["admin"] = $"http://{admin.Address}";
        using var http = new HttpClient(new ServiceMeshHandler(options));

        var named = await http.GetFromJsonAsync<FaultServerAnswer>("https+http://_admin.weather/", cancellationToken);
        var usual = await http.GetFromJsonAsync<FaultServerAnswer>("http://weather/", cancellationToken);

        Assert.That((named!.Server, usual!.Server), Is.EqualTo((admin.Address, server.Address)));
    }

    [Test]
    public async Task An_unknown_named_endpoint_is_refused_with_the_key_to_add(CancellationToken cancellationToken)
    {
        using var http = new HttpClient(new ServiceMeshHandler(ServiceMeshHandlerTests.Options([])));

        var failure = await Assert.CatchAsync<HttpRequestException>(
            () => http.GetAsync(new Uri("http://_admin.weather/"), cancellationToken));

        Assert.That(failure!.Message, Does.Contain("Services:weather:Endpoints:admin"));
    }

    [TestCase("admin", "nowhere", "Services:weather:Endpoints:admin")]
    [TestCase("no good", "http://127.0.0.1:1", "Services:weather:Endpoints:no good is not a name")]
    public void A_wrong_named_endpoint_is_refused_at_start(string name, string address, string says)
    {
        var options = ServiceMeshHandlerTests.Options([]);
        options.Services["weather"].Address = "static:127.0.0.1:1";
        options.Services["weather"].Endpoints[name] = address;

        Assert.That(HttpOptionsRules.Problems(options, null), Has.Exactly(1).Contains(says));
    }
}
