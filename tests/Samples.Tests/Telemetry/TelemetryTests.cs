using System.Collections.Concurrent;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using ServiceMesh.Support;

namespace ServiceMesh.Samples.Tests.Telemetry;

/// <summary>The sample beside a stand-in for an OpenTelemetry collector, which keeps what it is sent.</summary>
public sealed class TelemetryTests
{
    [Test]
    public async Task Spans_of_request_attempt_and_handler_and_the_metrics_reach_the_collector()
    {
        var received = new ConcurrentDictionary<string, string>();
        var port = FreePort.Next();
        await using var collector = await StartCollectorAsync(port, received);
        var listen = FreePort.Next();
        string[] http = ["--ServiceMesh:Transport", "Http", "--ServiceMesh:Http:Services:greetings:Address", $"static:127.0.0.1:{listen}"];
        var exporter = ("OTEL_EXPORTER_OTLP_ENDPOINT", $"http://127.0.0.1:{port}");

        using var server = SampleProcess.Start("Telemetry", ["--Role", "Server", .. http, "--ServiceMesh:Http:Listen", $"http://127.0.0.1:{listen}"], null, exporter);
        await server.SaysAsync("serves");
        var run = await SampleProcess.RunAsync("Telemetry", ["pune", "--Role", "Client", .. http], null, exporter);
        await server.TerminateAsync();
        var served = await server.EndAsync();

        Assert.That((run.ExitCode, served.ExitCode), Is.EqualTo((0, 0)), () => $"{run}\n{served}");
        Assert.That(run.Out, Is.EqualTo(["Hello, pune."]));
        Assert.That(received["/v1/traces"], Does.Contain("request greetings.greet").And.Contain("process greetings.greet").And.Contain("POST").And.Contain("greetings-Client").And.Contain("greetings-Server"));
        Assert.That(received["/v1/metrics"], Does.Contain("messaging.client.operation.duration").And.Contain("servicemesh.http.picks").And.Contain("servicemesh.discovery.endpoints"));
    }

    private static async Task<WebApplication> StartCollectorAsync(int port, ConcurrentDictionary<string, string> received)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls($"http://127.0.0.1:{port}");
        var app = builder.Build();
        app.MapFallback(async (HttpRequest request) =>
        {
            using var body = new MemoryStream();
            await request.Body.CopyToAsync(body);
            // Names stand as plain text within the protobuf.
            received.AddOrUpdate(request.Path, _ => Encoding.Latin1.GetString(body.ToArray()), (_, before) => before + Encoding.Latin1.GetString(body.ToArray()));
            return Results.Bytes([], "application/x-protobuf");
        });
        await app.StartAsync();
        return app;
    }
}
