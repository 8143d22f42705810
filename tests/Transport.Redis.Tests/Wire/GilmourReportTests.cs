using System.Text.Json.Nodes;
using System.Text;
using NUnit.Framework;

namespace ServiceMesh.Redis.Tests.Wire;

/// <summary>Error reports as Go and Ruby write them, and as ours go beside them.</summary>
public class GilmourReportTests
{
    private static readonly DateTimeOffset s_now = new(2030, 1, 2, 3, 4, 5, TimeSpan.Zero);
    private static readonly GilmourReports s_reports = new();

    private static readonly ErrorReport s_ours = new()
    {
        Topic = "weather.fetch",
        Kind = MessageKind.Signal,
        Status = 403,
        Error = "Not you.",
        MessageId = "n1.7",
        Sender = "n1",
        Node = "n2",
        Group = "workers",
        Time = new(2016, 3, 1, 10, 20, 30, 400, TimeSpan.FromHours(5.5)),
        Data = "AAEC",
        DataEncoding = "base64",
        DataBytes = 5000,
        Exception = "System.Exception: Not you.\n   at Here()",
    };

    [Test]
    public void Ours_reads_back_with_nothing_lost() => Assert.That(Read(s_reports.Write(s_ours)), Is.EqualTo(s_ours));

    [Test]
    public void Ours_is_one_of_theirs()
    {
        var written = JsonNode.Parse(s_reports.Write(s_ours))!.AsObject();

        Assert.That(
            written.Select(m => m.Key).Take(8),
            Is.EqualTo(["topic", "request_data", "user_data", "sender", "multi_process", "timestamp", "backtrace", "code"]));
        Assert.That(
            ((string)written["topic"]!, (string)written["request_data"]!, (string)written["user_data"]!,
                (string)written["sender"]!, (int)written["code"]!),
            Is.EqualTo(("weather.fetch", "AAEC", "Not you.", "n1.7", 403)));
        Assert.That((string)written["timestamp"]!, Is.EqualTo("2016-03-01T10:20:30.4+05:30"));
        Assert.That((string)written["backtrace"]!, Is.EqualTo(s_ours.Exception));
        Assert.That((string)written["data"]!["Node"]!, Is.EqualTo("n2"), "what their own subscribers are given");
    }

    [Test]
    public void A_failed_reply_of_Go_is_read_in_spite_of_its_misplaced_members() =>
        Assert.That(Read(RealBytes.GoReply), Is.EqualTo(new ErrorReport
        {
            Topic = "unknown",
            Kind = MessageKind.Request,
            Status = 418,
            Error = "teapot",
            MessageId = "node-1.1",
            Sender = "node-1.1",
            Node = "unknown",
            Time = new(2026, 11, 28, 0, 43, 29, TimeSpan.Zero),
        }));

    [Test]
    public void A_slot_of_Go_that_ran_out_of_time_is_read_in_spite_of_its_misplaced_members() =>
        Assert.That(Read(RealBytes.GoSlot), Is.EqualTo(new ErrorReport
        {
            Topic = "event.slow",
            Kind = MessageKind.Signal,
            Status = 499,
            Error = "A Gilmour node reported 499.",
            MessageId = "node-1.1",
            Sender = "node-1.1",
            Node = "unknown",
            Time = new(2026, 11, 28, 0, 43, 29, TimeSpan.Zero),
            ContentType = "application/json",
            Data = "7",
            DataBytes = 1,
        }));

    [TestCase("{\\\"data\\\":{\\\"why\\\":1},\\\"code\\\":422}", "{\"why\":1}")]
    [TestCase("no JSON", "no JSON")]
    [TestCase("7", "7")]
    [TestCase("", "A Gilmour node reported 422.")]
    public void A_reply_of_Go_without_a_sentence_is_reported_with_what_it_has(string topic, string error)
    {
        var read = Read($$"""{"topic":"{{topic}}","sender":"gilmour.response.a.1","backtrace":"","code":422}""");
        Assert.That((read!.Error, read.MessageId, read.Exception), Is.EqualTo((error, "a.1", (string?)null)));
    }

    [Test]
    public void A_published_report_of_Ruby_comes_in_an_envelope() =>
        Assert.That(Read(RealBytes.RubyPublished), Is.EqualTo(new ErrorReport
        {
            Topic = "r.fail",
            Kind = MessageKind.Request,
            Status = 418,
            Error = "teapot",
            MessageId = "node-1.1",
            Sender = "node-1.1",
            Node = "unknown",
            Time = new(2026, 11, 28, 0, 43, 29, TimeSpan.Zero),
            ContentType = "application/json",
            Data = "{\"q\":1}",
            DataBytes = 7,
        }));

    [Test]
    public void A_report_as_the_protocol_intends_it_is_read()
    {
        var read = Read("""
            {"topic":"gilmour.slot.news","request_data":"{\"a\":1}","user_data":"said","sender":"4f1c","multi_process":false,
             "timestamp":"2016-03-01T10:20:30+05:30","backtrace":"goroutine 7\nmain.go:7","code":499}
            """);

        Assert.That(
            (read!.Topic, read.Kind, read.Status, read.Error, read.MessageId, read.Data, read.Exception, read.Time),
            Is.EqualTo((
                "news", (MessageKind?)MessageKind.Signal, 499, "said", "4f1c", "{\"a\":1}", "goroutine 7\nmain.go:7",
                new DateTimeOffset(2016, 3, 1, 10, 20, 30, TimeSpan.FromHours(5.5)))));
    }

    [Test]
    public void A_backtrace_of_several_lines_is_the_exception() =>
        Assert.That(Read("""{"topic": "t", "backtrace": ["a.rb:1", "b.rb:2"]}""")!.Exception, Is.EqualTo("a.rb:1\nb.rb:2"));

    [TestCase("""{"topic": "gilmour.response.4f1c"}""", "gilmour.response.4f1c", 500, "A Gilmour node reported 500.")]
    [TestCase(
        """{"topic": null, "code": "x", "backtrace": null, "timestamp": "yesterday"}""",
        "unknown", 500, "A Gilmour node reported 500.")]
    [TestCase("""{"backtrace": "no topic", "code": 404}""", "unknown", 404, "no topic")]
    [TestCase("""{"topic": "t", "mesh": 1}""", "t", 500, "A Gilmour node reported 500.")]
    public void What_a_foreign_report_leaves_out_is_filled_in(string payload, string topic, int status, string error)
    {
        var read = Read(payload);
        Assert.That((read!.Topic, read.Status, read.Error, read.Time), Is.EqualTo((topic, status, error, s_now)));
    }

    [TestCase("")]
    [TestCase("{:topic=>\"echo\"}")]
    [TestCase("17")]
    [TestCase("\"text\"")]
    [TestCase("[]")]
    [TestCase("{}")]
    [TestCase("{\"data\": {\"a\": 1}, \"sender\": \"s\"}")]
    [TestCase("{\"topic\": \"\\ud800\"}")]
    [TestCase("{\"mesh\": 1, \"data\": {\"Topic\": 7}}")]
    [TestCase("{\"mesh\": 1, \"data\": null}")]
    public void An_entry_that_is_not_a_report_is_one_whose_data_is_its_text(string payload) => Assert.That(Read(payload), Is.EqualTo(
        new ErrorReport
        {
            Topic = "unknown",
            Status = 500,
            Error = "The queue has an entry that is not a report in JSON. Its text is the data.",
            MessageId = "unknown",
            Sender = "unknown",
            Node = "unknown",
            Time = s_now,
            Data = payload,
            DataBytes = Encoding.UTF8.GetByteCount(payload),
        }));

    [TestCase("")]
    [TestCase("{:topic=>\"echo\"}")]
    [TestCase("17")]
    [TestCase("{}")]
    [TestCase("{\"data\": {\"a\": 1}, \"sender\": \"s\"}")]
    public void A_payload_that_is_not_a_report_is_refused(string payload) =>
        Assert.That(GilmourReport.TryRead(Encoding.UTF8.GetBytes(payload), s_now, out _, out _), Is.False);

    [Test]
    public void A_report_whose_members_the_application_named_otherwise_travels_as_it_is()
    {
        var frame = GilmourReport.Write("""{"topic": "t", "status": 403}"""u8.ToArray(), "n.1", Headers.Empty);

        Assert.That((string)JsonNode.Parse(frame)!["topic"]!, Is.EqualTo("unknown"));
        Assert.That(GilmourReport.TryRead(frame, s_now, out var read, out _), Is.True);
        Assert.That(Encoding.UTF8.GetString(read!.Body.Span), Is.EqualTo("""{"topic": "t", "status": 403}"""));
    }

    [Test]
    public void A_published_report_keeps_its_id_and_its_headers()
    {
        var signal = new Message
        {
            Id = new("n2", 9),
            Kind = MessageKind.Signal,
            Topic = MeshTopics.Errors.Topic,
            Headers = Headers.Of(("traceparent", "00-1-2-01")),
            ContentType = "application/json",
            Body = "{}"u8.ToArray(),
        };

        Assert.That(GilmourWire.SignalChannel(signal.Topic, "gilmour.error"), Is.EqualTo("gilmour.error"));
        Assert.That(GilmourWire.TryReadTopic("gilmour.errors", MessageKind.Signal, out _), Is.True);
        Assert.That(GilmourWire.TryReadTopic("gilmour.error", MessageKind.Signal, out var topic), Is.True);
        Assert.That(
            GilmourWire.TryReadMessage(
                MessageKind.Signal, topic, GilmourWire.Write(signal), TimeProvider.System, out var read, out var error),
            Is.True, error);
        Assert.That((read!.Id, read.Topic, read.Headers["traceparent"]), Is.EqualTo((signal.Id, signal.Topic, "00-1-2-01")));
    }

    [Test]
    public void Random_bytes_never_throw()
    {
        var random = new Random(1);
        for (var i = 0; i < 20_000; i++)
        {
            // Mutated from a real one, so that more than the first byte is looked at.
            var frame = s_reports.Write(s_ours);
            for (var j = 0; j < 3; j++)
            {
                frame[random.Next(frame.Length)] = (byte)random.Next(32, 256);
            }

            s_reports.TryRead(frame, s_now, out _);
        }
    }

    private static ErrorReport? Read(string payload) => Read(Encoding.UTF8.GetBytes(payload));

    private static ErrorReport? Read(byte[] payload) => s_reports.TryRead(payload, s_now, out var read) ? read : null;
}
