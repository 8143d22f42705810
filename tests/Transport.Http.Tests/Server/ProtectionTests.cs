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
    private const string Secret = "a secret of 16 characters or more";

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

        Assert.That((int?)new Protection(null, allowUnprotected, key => key).Refuse(http)?.Status, Is.EqualTo(status));
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

        var refusal = new Protection(token, allowUnprotected, key => key).Refuse(http);

        Assert.That((int?)refusal?.Status, Is.EqualTo(status));
        Assert.That(refusal?.NotProcessed ?? true, Is.True);
    }
}
