using System.Diagnostics;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using NUnit.Framework;
using ServiceMesh.Conformance;
using ServiceMesh.Support;
using static ServiceMesh.Http.Tests.HttpNodes;

namespace ServiceMesh.Http.Tests;

/// <summary>What a client sees that knows nothing but HTTP.</summary>
public sealed class MeshEndpointsTests : IDisposable
{
    private static readonly RequestTopic<string, int[]> s_fetch = new("weather.fetch");
    private static readonly RequestTopic<Order, string> s_order = new("shop.order");

    private readonly HttpClient _http = new();
    private int _port;
    private TestNode _node = null!;

    public void Dispose() => _http.Dispose();

    [SetUp]
    public async Task StartAsync()
    {
        _port = FreePort.Next();
        _node = await HttpNodes.StartAsync(
            mesh => mesh.AddHandler(
                s_fetch,
                (city, _) => city == "pune" ? [11, 29] : throw new ReplyException(StatusCode.NotFound, $"Unknown city '{city}'."))
                .AddHandler(s_order, (order, _) => $"{order.Amount} for {order.Customer}"),
            Listen(_port), ("Request:MaxBodyBytes", "1000"));
    }

    [TearDown]
    public async Task StopAsync() => await _node.DisposeAsync();

    [Test]
    public async Task Curl_posts_JSON_and_receives_JSON()
    {
        var answer = await CurlAsync("-d", "\"pune\"", Url("request/weather.fetch"));
        Assert.That(answer, Is.EqualTo("[11,29]"));
    }

    [Test]
    public async Task Curl_may_write_the_names_of_members_in_any_case() =>
        Assert.That(
            await CurlAsync("-d", """{"customer":"pune","amount":3}""", Url("request/shop.order")), Is.EqualTo("\"3 for pune\""));

    [TestCase("""{"customer":1}""", "$.Customer is a number; Order.Customer is a string")]
    [TestCase("""{"customer":"pune"}""", "$.Amount is missing; Order.Amount is a 32-bit integer and required")]
    [TestCase("null", "The body is null; a value (Order) is expected.")]
    [TestCase("", "The body is empty; a value (Order) is expected.")]
    public async Task A_body_that_does_not_match_is_400_and_not_blamed_on_the_handler(string body, string detail)
    {
        using var response = await PostAsync("request/shop.order", body);

        using (Assert.EnterMultipleScope())
        {
            Assert.That((int)response.StatusCode, Is.EqualTo(400));
            Assert.That(response.Headers.Contains("mesh-not-processed"), Is.True);
            Assert.That(await DetailAsync(response), Does.Contain(detail));
        }
    }

    [Test]
    public async Task Curl_receives_a_failure_as_problem_details_with_its_status()
    {
        var answer = await CurlAsync("-w", " %{http_code} %{content_type}", "-d", "\"atlantis\"", Url("request/weather.fetch"));
        Assert.That(answer, Does.Contain("\"detail\":\"Unknown city 'atlantis'.\"").And.EndsWith(" 404 application/problem+json"));
    }

    [TestCase("request/not.handled", 404, true, "No node handles 'not.handled'")]
    [TestCase("request/weather..fetch", 400, true, "'weather..fetch' is not a topic")]
    [TestCase("request/weather.*", 400, true, "is not a topic")]
    [TestCase("request/weather/fetch", 400, true, "'weather/fetch' is not a topic")]
    [TestCase("request/", 400, true, "is not a topic")]
    [TestCase("signal/w%20x", 400, true, "'w x' is not a topic")]
    public async Task An_unknown_path_is_answered_with_the_reason(string path, int status, bool notProcessed, string detail)
    {
        using var response = await PostAsync(path, "\"pune\"");

        using (Assert.EnterMultipleScope())
        {
            Assert.That((int)response.StatusCode, Is.EqualTo(status));
            Assert.That(response.Headers.Contains("mesh-not-processed"), Is.EqualTo(notProcessed));
            Assert.That(await DetailAsync(response), Does.Contain(detail));
        }
    }

    [Test]
    public async Task A_handler_that_refuses_is_not_marked_as_not_processed()
    {
        using var response = await PostAsync("request/weather.fetch", "\"atlantis\"");
        Assert.That((response.StatusCode, response.Headers.Contains("mesh-not-processed")), Is.EqualTo((HttpStatusCode.NotFound, false)));
    }

    [Test]
    public async Task A_body_that_does_not_decode_is_400_with_the_position()
    {
        using var response = await PostAsync("request/weather.fetch", "{\"city\":");
        Assert.That((int)response.StatusCode, Is.EqualTo(400));
        Assert.That(await DetailAsync(response), Does.Contain("byte"));
    }

    [TestCase("\uFEFF\"pune\"")]
    public async Task A_body_may_begin_with_a_byte_order_mark(string body)
    {
        using var response = await PostAsync("request/weather.fetch", body);
        Assert.That(await response.Content.ReadAsStringAsync(), Is.EqualTo("[11,29]"));
    }

    [TestCase("Content-Encoding", "gzip", "encoded as 'gzip'")]
    [TestCase("Content-Type", "application/json; charset=utf-16", "text in 'utf-16'")]
    public async Task A_body_in_another_encoding_is_415_with_the_reason(string header, string value, string detail)
    {
        using var content = new ByteArrayContent([0x1F, 0x8B]);
        content.Headers.TryAddWithoutValidation(header, value);
        using var response = await _http.PostAsync(new Uri(Url("request/weather.fetch")), content);
        Assert.That(
            ((int)response.StatusCode, response.Headers.Contains("mesh-not-processed")), Is.EqualTo((415, true)));
        Assert.That(await DetailAsync(response), Does.Contain(detail));
    }

    [TestCase("identity", "application/json; charset=\"UTF-8\"")]
    [TestCase(null, "application/json; charset=us-ascii")]
    public async Task A_body_in_UTF_8_is_read_however_it_says_so(string? encoding, string type)
    {
        using var content = new ByteArrayContent("\"pune\""u8.ToArray());
        content.Headers.TryAddWithoutValidation("Content-Type", type);
        content.Headers.TryAddWithoutValidation("Content-Encoding", encoding);
        using var response = await _http.PostAsync(new Uri(Url("request/weather.fetch")), content);
        Assert.That(await response.Content.ReadAsStringAsync(), Is.EqualTo("[11,29]"));
    }

    [Test]
    public async Task The_health_endpoint_answers_HEAD()
    {
        using var request = new HttpRequestMessage(HttpMethod.Head, Url("health"));
        using var response = await _http.SendAsync(request);
        Assert.That(response.StatusCode, Is.EqualTo(HttpStatusCode.OK));
    }

    [Test]
    public async Task An_unknown_content_type_is_400_and_the_reply_lists_the_known_ones()
    {
        using var content = new StringContent("<city/>", Encoding.UTF8, "text/xml");
        using var response = await _http.PostAsync(new Uri(Url("request/weather.fetch")), content);
        Assert.That(await DetailAsync(response), Does.Contain("text/xml").And.Contain("application/json"));
    }

    [Test]
    public async Task A_body_that_announces_too_much_is_413_before_it_is_sent()
    {
        var answer = await TalkAsync(
            "POST /mesh/v1/request/weather.fetch HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1001\r\nConnection: close\r\n\r\n");
        Assert.That(answer, Does.StartWith("HTTP/1.1 413").And.Contain("accepts 1000").And.Contain("ServiceMesh:Request:MaxBodyBytes"));
    }

    [Test]
    public async Task A_body_that_is_longer_than_allowed_without_announcement_is_413()
    {
        using var content = new StreamContent(new MemoryStream(new byte[2000]));
        using var request = new HttpRequestMessage(HttpMethod.Post, Url("request/weather.fetch")) { Content = content };
        request.Headers.TransferEncodingChunked = true;
        using var response = await _http.SendAsync(request);
        Assert.That((int)response.StatusCode, Is.EqualTo(413));
        Assert.That(await DetailAsync(response), Does.Contain("more than 1000 bytes"));
    }

    [Test]
    public async Task A_body_that_does_not_arrive_is_408_and_the_node_keeps_running()
    {
        var answer = await TalkAsync("POST /mesh/v1/request/weather.fetch HTTP/1.1\r\nHost: localhost\r\nContent-Length: 6\r\n\r\n\"p");
        Assert.That(answer, Does.StartWith("HTTP/1.1 408").And.Contain("application/problem+json"));
        Assert.That(await CurlAsync("-d", "\"pune\"", Url("request/weather.fetch")), Is.EqualTo("[11,29]"));
    }

    [TestCase("GARBAGE\r\n\r\n", "HTTP/1.1 400")]
    [TestCase("POST /mesh/v1/request/weather.fetch HTTP/1.1\r\nHost: localhost\r\nContent-Length: banana\r\n\r\n", "HTTP/1.1 400")]
    [TestCase(
        "POST /mesh/v1/request/weather.fetch HTTP/1.1\r\nHost: localhost\r\nmesh-timeout: soon\r\nContent-Length: 0\r\n" +
        "Connection: close\r\n\r\n",
        "mesh-timeout is 'soon'")]
    public async Task Garbage_is_refused_and_the_node_keeps_running(string sent, string expected)
    {
        Assert.That(await TalkAsync(sent), Does.Contain(expected));
        Assert.That(await CurlAsync("-d", "\"pune\"", Url("request/weather.fetch")), Is.EqualTo("[11,29]"));
    }

    [Test]
    public async Task A_request_whose_time_is_up_is_refused()
    {
        var answer = await CurlAsync("-d", "\"pune\"", "-H", "mesh-timeout: 0", Url("request/weather.fetch"));
        Assert.That(answer, Does.Contain("\"status\":408").And.Contain("\"notProcessed\":true"));
    }

    [Test]
    public async Task Replies_and_the_node_document_report_the_load_of_the_handler()
    {
        var held = new Held();
        await _node.Bus.SubscribeAsync(
            Ask, (input, context) => input == "stay" ? held.HandleAsync(
                input, context) : Task.FromResult(input), new() { MaxConcurrency = 4 });
        var staying = PostAsync("request/test.ask", "\"stay\"");
        await held.EnteredAsync();

        using var answer = await PostAsync("request/test.ask", "\"go\"");
        using var document = JsonDocument.Parse(await _http.GetStringAsync(new Uri(Url("node"))));

        // The place of the one that was answered may not be free again yet.
        Assert.That(answer.Headers.GetValues("mesh-load").Single(), Is.AnyOf("0.25", "0.5"));
        Assert.That(document.RootElement.GetProperty("load").GetDouble(), Is.AnyOf(0.25, 0.5));
        held.Release();
        (await staying).Dispose();
    }

    [Test]
    public async Task A_signal_by_curl_reaches_individuals_and_one_member_of_each_group()
    {
        var (own, group) = (new Inbox<string>(), new Inbox<string>());
        await _node.Bus.SubscribeAsync(News, own.ReceiveAsync);
        await _node.Bus.SubscribeAsync(News, group.ReceiveAsync, new() { Group = "workers" });

        var answer = await CurlAsync("-d", "\"it rains\"", Url("signal/test.news"));

        Assert.That(answer, Is.EqualTo("""{"receivers":2,"refused":[]}"""));
        Assert.That((await own.NextAsync(), await group.NextAsync()), Is.EqualTo(("it rains", "it rains")));
    }

    [Test]
    public async Task A_node_describes_its_identity_its_topics_and_its_state()
    {
        await _node.Bus.SubscribeAsync(new SignalPattern<string>("weather.*"), (_, _) => Task.CompletedTask, new() { Group = "loggers" });

        using var document = JsonDocument.Parse(await _http.GetStringAsync(new Uri(Url("node"))));

        var node = document.RootElement;
        using (Assert.EnterMultipleScope())
        {
            Assert.That(node.GetProperty("id").GetString(), Is.EqualTo(_node.Bus.DescribeNode().Id));
            Assert.That(node.GetProperty("draining").GetBoolean(), Is.False);
            Assert.That(node.GetProperty("load").GetDouble(), Is.Zero);
            Assert.That(node.GetProperty("version").GetInt64(), Is.Positive);
            Assert.That(node.GetProperty("requests").GetRawText(), Does.Contain("""{"topic":"weather.fetch","group":"_default"}"""));
            Assert.That(node.GetProperty("signals").GetRawText(), Is.EqualTo("""[{"topic":"weather.*","group":"loggers"}]"""));
        }
    }

    [Test]
    public async Task A_long_poll_is_answered_when_something_changes_and_not_before()
    {
        var (id, version) = await VersionAsync("node");

        var polling = VersionAsync($"node?of={id}&version={version}&wait=30");
        var quick = await VersionAsync($"node?of={id}&version={version}&wait=0.01");
        Assert.That((polling.IsCompleted, quick.Version), Is.EqualTo((false, version)));
        await _node.Bus.SubscribeAsync(Ask, (input, _) => Task.FromResult(input));

        Assert.That((await polling.InTime()).Version, Is.GreaterThan(version));
        Assert.That((await VersionAsync("node?of=another-node&version=1&wait=30")).Id, Is.EqualTo(id), "a version of another node is none");
    }

    [TestCase("-Infinity")]
    [TestCase("NaN")]
    [TestCase("-1")]
    public async Task A_wait_that_is_not_a_number_counts_as_the_maximum(string wait)
    {
        var (id, version) = await VersionAsync("node");
        var polling = VersionAsync($"node?of={id}&version={version}&wait={wait}");
        await _node.Bus.SubscribeAsync(Ask, (input, _) => Task.FromResult(input));

        Assert.That((await polling.InTime()).Version, Is.GreaterThan(version));
    }

    [TestCase("node")]
    [TestCase("health")]
    public async Task A_cache_does_not_store_what_the_node_says_of_itself(string path) =>
        Assert.That(await CurlAsync("-i", Url(path)), Does.Contain("Cache-Control: no-store"));

    [Test]
    public async Task The_health_endpoint_says_when_to_send_elsewhere()
    {
        Assert.That(await CurlAsync("-w", " %{http_code}", Url("health")), Is.EqualTo("""{"status":"Healthy"} 200"""));
        var held = new Held();
        await _node.Bus.SubscribeAsync(Ask, held.HandleAsync);
        var asking = PostAsync("request/test.ask", "\"\"");
        await held.EnteredAsync();

        var stopping = _node.StopAsync();
        await Failsafe.UntilAsync(() => _node.Bus.DescribeNode().IsDraining);
        Assert.That(await CurlAsync("-w", " %{http_code}", Url("health")), Is.EqualTo("""{"status":"Draining"} 503"""));

        held.Release();
        using var answer = await asking;
        Assert.That(answer.IsSuccessStatusCode, Is.True);
        await stopping;
    }

    private string Url(string path) => $"http://127.0.0.1:{_port}/mesh/v1/{path}";

    private async Task<HttpResponseMessage> PostAsync(string path, string body)
    {
        using var content = new StringContent(body);
        content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        return await _http.PostAsync(new Uri(Url(path)), content);
    }

    private async Task<(string Id, long Version)> VersionAsync(string path)
    {
        using var document = JsonDocument.Parse(await _http.GetStringAsync(new Uri(Url(path))));
        return (document.RootElement.GetProperty("id").GetString()!, document.RootElement.GetProperty("version").GetInt64());
    }

    private static async Task<string?> DetailAsync(HttpResponseMessage response)
    {
        using var problem = JsonDocument.Parse(await response.Content.ReadAsStringAsync());
        return problem.RootElement.GetProperty("detail").GetString();
    }

    private static async Task<string> CurlAsync(params string[] arguments)
    {
        using var curl = Process.Start(new ProcessStartInfo("curl", ["-s", "-m", "20", .. arguments]) { RedirectStandardOutput = true })!;
        var output = await curl.StandardOutput.ReadToEndAsync().InTime();
        await curl.WaitForExitAsync().InTime();
        return output;
    }

    // Everything until the server closes, or has said enough.
    private async Task<string> TalkAsync(string sent)
    {
        using var client = new TcpClient();
        await client.ConnectAsync(IPAddress.Loopback, _port);
        var stream = client.GetStream();
        await stream.WriteAsync(Encoding.ASCII.GetBytes(sent));
        var buffer = new byte[16 * 1024];
        var text = new StringBuilder();
        int read;
        while ((read = await stream.ReadAsync(buffer).AsTask().InTime()) > 0)
        {
            text.Append(Encoding.UTF8.GetString(buffer, 0, read));
            if (text.ToString().Contains("notProcessed", StringComparison.Ordinal))
            {
                break;
            }
        }

        return text.ToString();
    }
}
