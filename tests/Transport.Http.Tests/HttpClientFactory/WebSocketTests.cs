using System.Net;
using System.Net.WebSockets;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Logging;
using NUnit.Framework;
using ServiceMesh.Support;

namespace ServiceMesh.Http.Tests;

/// <summary>Web sockets of a service, by the platform's <see cref="ClientWebSocket"/>.</summary>
[CancelAfter(60_000)]
public sealed class WebSocketTests
{
    [TestCase(HttpProtocols.Http1)]
    [TestCase(HttpProtocols.Http2)]
    public async Task A_web_socket_of_a_service_is_opened_and_carries_messages(HttpProtocols protocol, CancellationToken cancellationToken)
    {
        await using var server = await StartAsync(protocol);
        await using var refusing = await FaultServer.StartAsync(Fault.Refused);
        var isHttp2 = protocol == HttpProtocols.Http2;
        using var http = new HttpMessageInvoker(new ServiceMeshHandler(new()
        {
            Services =
            {
                ["chat"] = new()
                {
                    Address = $"static:{refusing.Address},{new Uri(server.Urls.Single()).Authority};priority=1", Http2 = isHttp2,
                },
            },
        }));
        using var socket = new ClientWebSocket();
        if (isHttp2)
        {
            (socket.Options.HttpVersion, socket.Options.HttpVersionPolicy) = (HttpVersion.Version20, HttpVersionPolicy.RequestVersionExact);
        }

        await socket.ConnectAsync(new("ws://chat/rooms/1?as=jan"), http, cancellationToken);
        await socket.SendAsync(Encoding.ASCII.GetBytes("hello"), WebSocketMessageType.Text, endOfMessage: true, cancellationToken);
        var buffer = new byte[100];
        var received = await socket.ReceiveAsync(buffer, cancellationToken);

        Assert.That(Encoding.ASCII.GetString(buffer, 0, received.Count), Is.EqualTo("/rooms/1?as=jan: hello"));
        await socket.CloseAsync(WebSocketCloseStatus.NormalClosure, null, cancellationToken);
    }

    [Test]
    public async Task A_web_socket_that_a_server_refuses_fails_with_its_status(CancellationToken cancellationToken)
    {
        await using var server = await StartAsync(HttpProtocols.Http1, isOpen: false);
        using var http = new HttpMessageInvoker(
            new ServiceMeshHandler(new() { Services = { ["chat"] = new() { Address = server.Urls.Single() } } }));
        using var socket = new ClientWebSocket();
        socket.Options.CollectHttpResponseDetails = true;

        await Assert.CatchAsync<WebSocketException>(() => socket.ConnectAsync(new("ws://chat/"), http, cancellationToken));

        Assert.That(socket.HttpStatusCode, Is.EqualTo(HttpStatusCode.Forbidden));
    }

    private static async Task<WebApplication> StartAsync(HttpProtocols protocol, bool isOpen = true)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0, listen => listen.Protocols = protocol));
        var app = builder.Build();
        app.UseWebSockets();
        app.Run(async http =>
        {
            if (!isOpen)
            {
                http.Response.StatusCode = StatusCodes.Status403Forbidden;
                return;
            }

            using var socket = await http.WebSockets.AcceptWebSocketAsync();
            var buffer = new byte[100];
            var received = await socket.ReceiveAsync(buffer, http.RequestAborted);
            var answer = $"{http.Request.Path}{http.Request.QueryString}: {Encoding.ASCII.GetString(buffer, 0, received.Count)}";
            await socket.SendAsync(
                Encoding.ASCII.GetBytes(answer), WebSocketMessageType.Text, endOfMessage: true, http.RequestAborted);
            await socket.ReceiveAsync(buffer, http.RequestAborted);
            await socket.CloseAsync(WebSocketCloseStatus.NormalClosure, null, http.RequestAborted);
        });
        await app.StartAsync();
        return app;
    }
}
