using Microsoft.Extensions.Time.Testing;
using NUnit.Framework;

namespace ServiceMesh.Http.Tests;

public sealed class MessageWireTests
{
    private static readonly Topic s_topic = Topic.Parse("weather.fetch");
    private readonly FakeTimeProvider _clock = new();

    [Test]
    public void A_request_becomes_a_path_and_headers()
    {
        var request = Request(
            Headers.Of(("tenant", "acme"), ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"))) with
        {
            Deadline = Deadline.After(TimeSpan.FromMilliseconds(1499.2), _clock),
        };

        Assert.That(MessageWire.PathOf(MessageKind.Request, s_topic), Is.EqualTo("/mesh/v1/request/weather.fetch"));
        Assert.That(MessageWire.PathOf(MessageKind.Signal, s_topic), Is.EqualTo("/mesh/v1/signal/weather.fetch"));
        Assert.That(WrittenAs(request), Is.EqualTo(new[]
        {
            ("mesh-id", "node-1.7"),
            ("mesh-timeout", "1500"),
            ("mesh-header-tenant", "acme"),
            ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
        }));
    }

    [Test]
    public void The_deadline_travels_as_the_time_left_when_it_is_sent()
    {
        var request = Request(Headers.Empty) with { Deadline = Deadline.After(TimeSpan.FromSeconds(2), _clock) };
        _clock.Advance(TimeSpan.FromMilliseconds(1250));

        Assert.That(WrittenAs(request), Does.Contain(("mesh-timeout", "750")));
    }

    [TestCase("", "")]
    [TestCase("plain/value=1;x", "plain/value=1;x")]
    [TestCase(" edges ", "%20edges%20")]
    [TestCase("50%", "50%25")]
    [TestCase("Grüße", "Gr%C3%BC%C3%9Fe")]
    [TestCase("a, b", "a%2C%20b")]
    public void A_value_that_is_not_plain_is_percent_encoded(string value, string written)
    {
        Assert.That(HeaderText.Encode(value), Is.EqualTo(written));
        Assert.That(HeaderText.Decode(written), Is.EqualTo(value));
    }

    [Test]
    public void An_unencoded_value_of_a_foreign_client_is_not_changed() =>
        Assert.That(HeaderText.Decode("100% of %zz"), Is.EqualTo("100% of %zz"));

    [Test]
    public void A_written_message_is_read_unchanged()
    {
        var headers = Headers.Of(
            ("Host", "mine"),
            ("content-type", "a\u00a0b"),
            ("mesh.deadline", "👩‍👩‍👧"),
            ("tracestate", "vendor=grün"),
            ("traceparent", "00-1"));
        var request = Request(headers) with { Deadline = Deadline.After(TimeSpan.FromSeconds(3), _clock) };

        var read = Read(WrittenAs(request));

        using (Assert.EnterMultipleScope())
        {
            Assert.That(read.Id, Is.EqualTo(request.Id));
            Assert.That(read.Topic, Is.EqualTo(s_topic));
            Assert.That(read.Headers, Is.EquivalentTo(headers));
            Assert.That(read.ContentType, Is.EqualTo("application/json"));
            Assert.That(read.Deadline.Remaining, Is.EqualTo(TimeSpan.FromSeconds(3)));
        }
    }

    [Test]
    public void Headers_of_HTTP_are_not_headers_of_the_message() =>
        Assert.That(Read([("Host", "x"), ("User-Agent", "curl"), ("Accept", "*/*"), ("mesh-unknown", "later")]).Headers, Is.Empty);

    [Test]
    public void A_message_without_headers_receives_an_id_and_no_deadline()
    {
        var (first, second) = (Read([]), Read([]));

        Assert.That(first.Id, Is.Not.EqualTo(second.Id));
        Assert.That(first.Deadline.Exists, Is.False);
        Assert.That(Read([("mesh-id", "my-own-id")]).Id, Is.EqualTo(new MessageId("my-own-id", -1)));
    }

    [Test]
    public void The_content_type_of_curl_means_the_configured_serializer()
    {
        TryRead("application/x-www-form-urlencoded", [], out var message, out _);
        Assert.That(message!.ContentType, Is.Empty);
    }

    [TestCase("mesh-timeout", "-1", "mesh-timeout")]
    [TestCase("mesh-timeout", "soon", "mesh-timeout is 'soon'")]
    [TestCase("mesh-id", "", "mesh-id")]
    [TestCase("mesh-header-", "x", "mesh-header-")]
    [TestCase("mesh-header-a", "%0D%0Ab", "without control characters")]
    public void An_invalid_message_is_refused_with_the_reason(string name, string value, string said)
    {
        Assert.That(TryRead(null, [(name, value)], out _, out var error), Is.False);
        Assert.That(error, Does.Contain(said));
    }

    [Test]
    public void A_huge_timeout_is_limited_and_a_missing_one_is_none()
    {
        Assert.That(
            Read([("mesh-timeout", long.MaxValue.ToString(System.Globalization.CultureInfo.InvariantCulture))]).Deadline.Remaining,
            Is.EqualTo(TimeSpan.FromDays(1)));
        Assert.That(Read([("mesh-timeout", "0")]).Deadline.HasPassed, Is.True);
    }

    private Message Read((string, string)[] headers)
    {
        Assert.That(TryRead("application/json", headers, out var message, out var error), Is.True, error);
        return message!;
    }

    private bool TryRead(string? contentType, (string, string)[] headers, out Message? message, out string? error)
    {
        var read = new MessageHeaders(MessageKind.Request, _clock);
        foreach (var (name, value) in headers)
        {
            read.Read(name, value);
        }

        message = read.TryComplete() ? read.ToMessage(s_topic, contentType, default) : null;
        error = read.Error;
        return message is not null;
    }

    private static Message Request(Headers headers) => new()
    {
        Id = new("node-1", 7),
        Kind = MessageKind.Request,
        Topic = s_topic,
        Headers = headers,
        ContentType = "application/json",
        Body = "\"pune\""u8.ToArray(),
    };

    private static (string Name, string Value)[] WrittenAs(Message message)
    {
        var headers = new List<(string, string)>();
        MessageWire.Write(message, headers, static (list, name, value) => list.Add((name, value)));
        return [.. headers];
    }
}
