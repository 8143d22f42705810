using System.Globalization;
using System.Text.Json;
using ServiceMesh.Support;

namespace ServiceMesh.Samples.Tests.Telemetry;

/// <summary>The sample as server and client over HTTP, with stand-ins for the servers that receive its telemetry.</summary>
public sealed class TelemetryTests
{
    [Test]
    public async Task Metrics_are_on_the_page_and_spans_reach_Zipkin()
    {
        await using var zipkin = await Collector.StartAsync();
        var page = FreePort.Next();
        var read = "";
        await RunAsync(
            [("OTEL_EXPORTER_ZIPKIN_ENDPOINT", $"{zipkin.Address}/api/v2/spans"), ("OTEL_EXPORTER_PROMETHEUS_PORT", $"{page}")],
            async () => read = await ReadAsync($"http://localhost:{page}/metrics"));

        var handled = Metric(read, "messaging_process_duration_seconds_count", "messaging_destination_name=\"greetings.greet\"");
        Assert.That(handled, Is.EqualTo(1));
        Assert.That(Metric(read, "messaging_client_consumed_messages_total", "messaging_system=\"http\""), Is.EqualTo(1));
        Assert.That(Metric(read, "servicemesh_discovery_endpoints", "servicemesh_service=\"greetings\""), Is.EqualTo(1));

        var spans = zipkin.BodiesOf("/api/v2/spans").SelectMany(body => JsonSerializer.Deserialize<JsonElement[]>(body)!).ToArray();
        var handler = spans.Single(span => Text(span, "name") == "process greetings.greet");
        var attempt = spans.Single(span => Text(span, "id") == Text(handler, "parentId"));
        var request = spans.Single(span => Text(span, "id") == Text(attempt, "parentId"));
        JsonElement[] chain = [request, attempt, handler];
        Assert.That((Text(attempt, "name"), Text(request, "name")), Is.EqualTo(("post", "request greetings.greet")).IgnoreCase);
        Assert.That(
            chain.Select(span => span.GetProperty("localEndpoint").GetProperty("serviceName").GetString()),
            Is.EqualTo(["greetings-Client", "greetings-Client", "greetings-Server"]).IgnoreCase);
        Assert.That(chain.Select(span => Text(span, "traceId")).Distinct().Count(), Is.EqualTo(1));
    }

    [Test]
    public async Task Spans_and_metrics_reach_a_collector_over_OTLP()
    {
        await using var collector = await Collector.StartAsync();
        await RunAsync(
            [("OTEL_EXPORTER_OTLP_ENDPOINT", collector.Address), ("OTEL_EXPORTER_PROMETHEUS_PORT", $"{FreePort.Next()}")],
            () => Task.CompletedTask);

        // Protobuf contains names as plain text.
        var (spans, metrics) = (string.Concat(collector.BodiesOf("/v1/traces")), string.Concat(collector.BodiesOf("/v1/metrics")));
        string[] ofSpans = ["request greetings.greet", "process greetings.greet", "POST", "greetings-Client", "greetings-Server"];
        string[] ofMetrics = ["messaging.client.operation.duration", "servicemesh.http.picks"];
        Assert.That(ofSpans.Where(name => !spans.Contains(name, StringComparison.Ordinal)), Is.Empty);
        Assert.That(ofMetrics.Where(name => !metrics.Contains(name, StringComparison.Ordinal)), Is.Empty);
    }

    [Test]
    public async Task A_port_that_is_in_use_ends_the_server_with_one_line()
    {
        await using var other = await Collector.StartAsync();
        var run = await SampleProcess.RunAsync(
            "Telemetry",
            ["--Role", "Server"],
            null,
            ("OTEL_EXPORTER_PROMETHEUS_HOST", "127.0.0.1"),
            ("OTEL_EXPORTER_PROMETHEUS_PORT", $"{new Uri(other.Address).Port}"));
        Assert.That(run.ExitCode, Is.EqualTo(2), run.ToString());
        Assert.That(run.OnlyError, Does.Contain("already in use"));
    }

    /// <summary>Runs one greeting between two processes, and the given action while the server still runs.</summary>
    private static async Task RunAsync((string, string)[] environment, Func<Task> meanwhile)
    {
        var listen = FreePort.Next();
        string[] http = ["--ServiceMesh:Transport", "Http", "--ServiceMesh:Http:Services:greetings:Address", $"static:127.0.0.1:{listen}"];
        string[] serving = ["--Role", "Server", .. http, "--ServiceMesh:Http:Listen", $"http://127.0.0.1:{listen}"];
        using var server = SampleProcess.Start("Telemetry", serving, null, environment);
        await server.WaitForErrorLineAsync("serves");
        var run = await SampleProcess.RunAsync("Telemetry", ["pune", "--Role", "Client", .. http], null, environment);
        await meanwhile();
        await server.TerminateAsync();
        var served = await server.EndAsync();

        Assert.That((run.ExitCode, served.ExitCode), Is.EqualTo((0, 0)), () => $"{run}\n{served}");
        Assert.That(run.Out, Is.EqualTo(["Hello, pune."]));
    }

    private static async Task<string> ReadAsync(string address)
    {
        using var http = new HttpClient();
        return await http.GetStringAsync(address);
    }

    // A line is NAME{LABELS} VALUE, followed by a time where the format has one.
    private static double Metric(string page, string name, string label) => page.Split('\n')
        .Where(line => line.StartsWith($"{name}{{", StringComparison.Ordinal) && line.Contains(label, StringComparison.Ordinal))
        .Select(line => double.Parse(line[(line.LastIndexOf('}') + 2)..].Split(' ')[0], CultureInfo.InvariantCulture))
        .DefaultIfEmpty(double.NaN)
        .First();

    private static string? Text(JsonElement span, string property) =>
        span.TryGetProperty(property, out var value) ? value.GetString() : null;
}
