using System.Text;
using System.Text.Json;
using Microsoft.Extensions.Time.Testing;
using NUnit.Framework;

namespace ServiceMesh.Http.Tests;

public sealed class ReplyWireTests
{
    [Test]
    public void A_reply_becomes_status_type_headers_and_body()
    {
        var written = ReplyWire.Write(
            new()
            {
                Status = StatusCode.Ok,
                ContentType = "application/json",
                Body = "[1]"u8.ToArray(),
                Headers = Headers.Of(
                ("Version", "7"))
            }, "weather.fetch");

        using (Assert.EnterMultipleScope())
        {
            Assert.That((written.Status, written.ContentType), Is.EqualTo((200, "application/json")));
            Assert.That(written.Headers, Is.EqualTo(new[] { ("mesh-status", "200"), ("mesh-header-Version", "7") }));
            Assert.That(Encoding.UTF8.GetString(written.Body.Span), Is.EqualTo("[1]"));
        }
    }

    [Test]
    public void A_failure_becomes_problem_details_with_its_status()
    {
        var written = ReplyWire.Write(
            ReplyMessage.Failure(StatusCode.Overloaded, "All \"places\" are\ntaken.", notProcessed: true), "weather.fetch");

        using var problem = JsonDocument.Parse(written.Body);
        using (Assert.EnterMultipleScope())
        {
            Assert.That((written.Status, written.ContentType), Is.EqualTo((429, "application/problem+json")));
            Assert.That(written.Headers, Is.EqualTo(new[] { ("mesh-status", "429"), ("mesh-not-processed", "1") }));
            Assert.That(
                problem.RootElement.EnumerateObject().Select(p => $"{p.Name}={p.Value}"),
                Is.EqualTo(["type=about:blank", "title=Too Many Requests", "status=429", "detail=All \"places\" are\ntaken.",
                "topic=weather.fetch", "notProcessed=True"]));
        }
    }

    [TestCase(200, 200)]
    [TestCase(204, 200)]
    [TestCase(304, 200)]
    [TestCase(404, 404)]
    [TestCase(499, 499)]
    [TestCase(599, 599)]
    [TestCase(600, 500)]
    [TestCase(999, 500)]
    [TestCase(100, 500)]
    public void A_status_that_HTTP_does_not_allow_travels_in_a_header(int status, int http)
    {
        var written = ReplyWire.Write(new() { Status = (StatusCode)status, ContentType = "application/json", Body = "1"u8.ToArray() }, "");

        Assert.That(written.Status, Is.EqualTo(http));
        Assert.That(Read(written).Status, Is.EqualTo((StatusCode)status));
    }

    [Test]
    public void A_failure_with_a_value_keeps_both()
    {
        var sent = new ReplyMessage
        {
            Status = (StatusCode)409,
            ContentType = "application/json",
            Body = "{}"u8.ToArray(),
            Error = "Größer als 7.",
            Headers = Headers.Of(("a", " b ")),
        };

        var read = Read(ReplyWire.Write(sent, ""));

        Assert.That(
            (read.Status, read.ContentType, Encoding.UTF8.GetString(read.Body.Span), read.Error, read.NotProcessed, read.Headers["A"]),
            Is.EqualTo((sent.Status, "application/json", "{}", "Größer als 7.", false, " b ")));
    }

    [TestCase(true)]
    [TestCase(false)]
    public void A_failure_arrives_with_its_error_and_its_not_processed_flag(bool notProcessed)
    {
        var read = Read(ReplyWire.Write(ReplyMessage.Failure(StatusCode.NotFound, "line one\nline “two”", notProcessed), "a.b"));

        Assert.That(
            (read.Status, read.Error, read.NotProcessed, read.Body.Length),
            Is.EqualTo((StatusCode.NotFound, "line one\nline “two”", notProcessed, 0)));
    }

    [TestCase(200, "text/html", "<html>Welcome</html>", 503)]
    [TestCase(302, "text/html", "<html>Moved</html>", 503)]
    [TestCase(502, "text/html", "<html>Bad gateway</html>", 502)]
    [TestCase(404, "", "", 404)]
    public void A_response_that_is_not_from_a_node_is_a_failure_that_names_the_server(
        int status, string contentType, string body, int expected)
    {
        var read = ReplyWire.Read(
            new(status, contentType, [("Server", "nginx")], Encoding.UTF8.GetBytes(body)),
            "http://10.0.0.1:80",
            isForeign: false,
            TimeProvider.System,
            out _);

        Assert.That(((int)read.Status, read.NotProcessed), Is.EqualTo((expected, false)));
        Assert.That(read.Error, Does.Contain("http://10.0.0.1:80").And.Contain($"{status}").And.Contain(contentType));
    }

    [TestCase("-5")]
    [TestCase("0")]
    [TestCase("99")]
    [TestCase("1000")]
    [TestCase("99999")]
    public void A_status_that_no_reply_has_is_a_failure(string status)
    {
        var reply = ReplyWire.Read(
            new(200, "application/json", [("mesh-status", status)], "1"u8.ToArray()), "Server", isForeign: false, TimeProvider.System,
            out _);

        Assert.That(
            ((int)reply.Status, reply.Error), Is.EqualTo((502, $"Server answered with the status {status}; 100 to 999 are allowed.")));
    }

    [TestCase(0)]
    [TestCase(200)]
    public void Problem_details_with_a_status_of_success_are_a_failure(int status)
    {
        var reply = ReplyWire.Read(
            new(status, "application/problem+json", [], """{"detail":"no"}"""u8.ToArray()), "Server", isForeign: false, TimeProvider.System,
            out _);

        Assert.That(((int)reply.Status, reply.Error), Is.EqualTo((502, "no")));
    }

    [Test]
    public void The_reply_of_a_foreign_server_is_its_HTTP_status_and_body()
    {
        var read = ReplyWire.Read(
            new(201, "application/json; charset=utf-8", [], "[1]"u8.ToArray()), "http://x", isForeign: true, TimeProvider.System, out _);
        var refused = ReplyWire.Read(
            new(422, "application/problem+json", [], """{"title":"Unprocessable","detail":"No such city."}"""u8.ToArray()),
            "http://x",
            isForeign: true,
            TimeProvider.System,
            out _);
        var page = ReplyWire.Read(new(500, "text/html", [], "<html>"u8.ToArray()), "http://x", isForeign: true, TimeProvider.System, out _);

        Assert.That(
            ((int)read.Status, read.ContentType, Encoding.UTF8.GetString(read.Body.Span)),
            Is.EqualTo((201, "application/json; charset=utf-8", "[1]")));
        Assert.That(((int)refused.Status, refused.Error), Is.EqualTo((422, "No such city.")));
        Assert.That(((int)page.Status, page.Error), Is.EqualTo((500, "http://x answered 500 with 'text/html'.")));
    }

    [TestCase("")]
    [TestCase("not json")]
    [TestCase("[]")]
    [TestCase("""{"detail":7}""")]
    [TestCase("""{"detail":"cut""")]
    public void Invalid_problem_details_have_no_detail(string body) =>
        Assert.That(ProblemDetails.ReadDetail(Encoding.UTF8.GetBytes(body)), Is.Null);

    [TestCase("7", 7.0)]
    [TestCase("Thu, 01 Jan 1970 00:01:30 GMT", 90.0)]
    [TestCase("Thursday, 01-Jan-70 00:01:30 GMT", 90.0)]
    [TestCase("Wed, 31 Dec 1969 23:59:00 GMT", 0.0)]
    [TestCase("soon", null)]
    [TestCase("-1", null)]
    public void Retry_After_is_read_as_seconds_or_as_a_date_by_the_clock(string value, double? seconds)
    {
        var read = ReplyWire.Read(
            new(503, "", [("Retry-After", value)], default),
            "http://x",
            isForeign: true,
            new FakeTimeProvider(DateTimeOffset.UnixEpoch),
            out _);

        Assert.That(read.RetryAfter?.TotalSeconds, Is.EqualTo(seconds));
    }

    private static ReplyMessage Read(HttpReply written) =>
        ReplyWire.Read(written, "http://node", isForeign: false, TimeProvider.System, out _);
}
