using System.Net;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using NUnit.Framework;
using ServiceMesh.Conformance;
using ServiceMesh.Support;
using static ServiceMesh.Http.Tests.HttpNodes;

namespace ServiceMesh.Http.Tests;

public sealed class ProtectionTests
{
    private const string Secret = "a-secret-of-16-characters-or-more";

    [Test]
    public async Task A_node_accepts_callers_with_its_token_and_refuses_others()
    {
        var port = FreePort.Next();
        await using var server = await StartAsync(mesh => mesh.AddHandler(Ask, (input, _) => input), Listen(port), ("Http:Token", Secret));
        await using var friend = await StartAsync(null, Service("server", port), ("Http:Token", Secret));
        await using var stranger = await StartAsync(null, Service("server", port), ("Http:Token", Secret + "!"));

        Assert.That(await friend.Bus.RequestAsync(Ask, "hello").InTime(), Is.EqualTo("hello"));
        var refused = await stranger.Bus.TryRequestAsync(Ask, "hello").InTime();
        Assert.That((refused.Status, refused.Failure!.NotProcessed), Is.EqualTo((StatusCode.Unavailable, true)));
        Assert.That(refused.Failure!.Message, Does.Contain("401").And.Contain("ServiceMesh:Http:Token"));
    }

    [TestCase(false, false, 403)]
    [TestCase(true, false, null)]
    [TestCase(false, true, null)]
    public void A_web_page_may_not_call_a_node_without_authentication(bool allowUnprotected, bool hasAuthorization, int? status)
    {
        var http = new DefaultHttpContext();
        http.Connection.LocalIpAddress = IPAddress.Loopback;
        http.Request.Headers.Origin = "https://example.com";
        http.SetEndpoint(new(null, hasAuthorization ? new(new AuthorizeAttribute()) : EndpointMetadataCollection.Empty, null));

        Assert.That((int?)new Protection(null, allowUnprotected, null, key => key).Refuse(http)?.Status, Is.EqualTo(status));
    }

    [TestCase("127.0.0.1", null, false, false, null)]
    [TestCase("::1", null, false, false, null)]
    [TestCase("10.0.0.1", null, false, false, 403)]
    [TestCase("10.0.0.1", null, true, false, null)]
    [TestCase("10.0.0.1", null, false, true, null)]
    [TestCase("10.0.0.1", "Bearer " + Secret, false, false, null, Secret)]
    [TestCase("127.0.0.1", "bearer " + Secret, false, false, null, Secret)]
    [TestCase("127.0.0.1", null, true, true, 401, Secret)]
    [TestCase("127.0.0.1", "Bearer wrong", false, false, 401, Secret)]
    [TestCase("127.0.0.1", Secret, false, false, 401, Secret)]
    public void A_node_beyond_loopback_needs_authentication_or_AllowUnprotected(
        string local, string? authorization, bool allowUnprotected, bool hasAuthorization, int? status, string? token = null)
    {
        var http = new DefaultHttpContext();
        http.Connection.LocalIpAddress = IPAddress.Parse(local);
        http.Request.Headers.Authorization = authorization;
        http.SetEndpoint(new(null, hasAuthorization ? new(new AuthorizeAttribute()) : EndpointMetadataCollection.Empty, null));

        var refusal = new Protection(token, allowUnprotected, null, key => key).Refuse(http);

        Assert.That((int?)refusal?.Status, Is.EqualTo(status));
        Assert.That(refusal?.NotProcessed ?? true, Is.True);
    }

    [Test]
    public void AllowAnonymous_after_RequireAuthorization_switches_nothing_else_off()
    {
        var http = new DefaultHttpContext();
        http.Connection.LocalIpAddress = IPAddress.Parse("10.0.0.1");
        http.SetEndpoint(new(null, new(new AuthorizeAttribute(), new AllowAnonymousAttribute()), null));
        var exposed = new Protection(null, false, null, key => key).Refuse(http);
        http.Connection.LocalIpAddress = IPAddress.Loopback;
        http.Request.Headers.Origin = "https://example.com";
        var page = new Protection(null, false, null, key => key).Refuse(http);

        Assert.That((exposed?.Status, page?.Status), Is.EqualTo((StatusCode.Forbidden, StatusCode.Forbidden)));
    }

    [TestCase("localhost:5080", true)]
    [TestCase("LOCALHOST.:5080", true)]
    [TestCase("app.localhost", true)]
    [TestCase("127.0.0.1:5080", true)]
    [TestCase("[::1]:5080", true)]
    [TestCase("weather.example.com", true)]
    [TestCase("a.mesh.example.com:80", true)]
    [TestCase("", true)]
    [TestCase("evil.com:5080", false)]
    [TestCase("127.0.0.1.evil.com", false)]
    [TestCase("mesh.example.com", false)]
    [TestCase("localhost.evil.com", false)]
    public void A_node_without_authentication_is_called_by_a_name_of_its_own(string host, bool isAllowed)
    {
        var http = new DefaultHttpContext();
        http.Connection.LocalIpAddress = IPAddress.Loopback;
        http.Request.Host = new(host);

        var refusal = new Protection(null, false, "weather.example.com; *.mesh.example.com", key => key).Refuse(http);

        Assert.That(refusal is null, Is.EqualTo(isAllowed), refusal?.Error);
        Assert.That(refusal?.Error ?? "Server:Hosts", Does.Contain("Server:Hosts"));
    }

    [Test]
    public async Task The_name_of_a_web_page_that_leads_to_loopback_is_refused()
    {
        var port = FreePort.Next();
        await using var server = await StartAsync(mesh => mesh.AddHandler(Ask, (input, _) => input), Listen(port));

        var lines = await RawCaller.AskAsync(port, "GET /mesh/v1/node HTTP/1.1\r\nHost: evil.com\r\nConnection: close\r\n\r\n");

        Assert.That(lines, Does.StartWith("HTTP/1.1 403").And.Contain("Host header is 'evil.com'"));
    }

    [TestCase(null)]
    [TestCase("a-wrong-secret-of-16-characters-or-more")]
    public async Task A_stranger_is_refused_before_its_body_is_read(string? token)
    {
        var port = FreePort.Next();
        await using var server = await StartAsync(mesh => mesh.AddHandler(Ask, (input, _) => input), Listen(port), ("Http:Token", Secret));
        using var stranger = await RawCaller.ConnectAsync(port);
        var authorization = token is null ? "" : $"Authorization: Bearer {token}\r\n";

        await stranger.SendAsync(
            $"POST /mesh/v1/request/test.ask HTTP/1.1\r\nHost: localhost\r\n{authorization}Content-Length: 3900000\r\n\r\n");

        Assert.That(await stranger.ReadLineAsync(), Does.StartWith("HTTP/1.1 401"));
    }
}
