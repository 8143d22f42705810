using System.Collections.Immutable;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json.Nodes;
using NUnit.Framework;

namespace ServiceMesh.Http.Tests;

/// <summary>Which bodies can be sent again, and until when.</summary>
public sealed class RequestBodyTests
{
    private static IEnumerable<TestCaseData> InMemory =>
    [
        new TestCaseData(null, "") { TestName = "No_body_can_be_sent_again" },
        new TestCaseData(new ByteArrayContent("bytes"u8.ToArray()), "bytes") { TestName = "Bytes_can_be_sent_again" },
        new TestCaseData(new ReadOnlyMemoryContent("memory"u8.ToArray()), "memory") { TestName = "Memory_can_be_sent_again" },
        new TestCaseData(new StringContent("text"), "text") { TestName = "A_text_can_be_sent_again" },
        new TestCaseData(new FormUrlEncodedContent([new("a", "1")]), "a=1") { TestName = "A_form_can_be_sent_again" },
        new TestCaseData(JsonContent.Create("pune"), "\"pune\"") { TestName = "Json_can_be_sent_again" },
        new TestCaseData(
            new MultipartContent("mixed", "b") { new StringContent("part") },
            "--b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\npart\r\n--b--\r\n")
        {
            TestName = "Parts_that_can_be_sent_again_can_be_together",
        },
    ];

    private static IEnumerable<TestCaseData> Once =>
    [
        new TestCaseData(JsonContent.Create(ItemsAsync())) { TestName = "Json_of_items_that_come_asynchronously_is_sent_once" },
        new TestCaseData(
            JsonContent.Create(Enumerable.Range(0, 3).Where(i => i > 0))) { TestName = "Json_of_a_lazy_sequence_is_sent_once" },
        new TestCaseData(
            new MultipartContent { JsonContent.Create(ItemsAsync()) }) { TestName = "Parts_with_a_lazy_sequence_are_sent_once" },
        new TestCaseData(new OwnBytes()) { TestName = "Bytes_of_a_class_of_the_callers_own_are_sent_once" },
        new TestCaseData(new OwnParts()) { TestName = "Parts_of_a_class_of_the_callers_own_are_sent_once" },
    ];

    private static IEnumerable<object?> Held =>
    [
        "text", 7, null, new[] { 1 }, new List<int> { 1 }, new HashSet<int> { 1 },
        new Dictionary<string, int> { ["a"] = 1 }, ImmutableArray.Create(1),
        new Queue<int>([1]), new JsonArray(1), new JsonObject { ["a"] = 1 }, new { Name = "pune" },
    ];

    [TestCaseSource(nameof(InMemory))]
    public async Task Content_in_memory_can_be_sent_by_concurrent_attempts(HttpContent? content, string text)
    {
        var body = new RequestBody(content, said: null);

        var both = await Task.WhenAll(SendAsync(body), SendAsync(body));

        Assert.That((body.CanBeSentAgain, body.CanBeSentTwiceAtOnce), Is.EqualTo((true, true)));
        Assert.That(both, Is.EqualTo([text, text]));
    }

    [Test]
    public async Task A_stream_can_be_sent_until_its_serialization_has_begun()
    {
        var body = new RequestBody(new StreamContent(new MemoryStream("once"u8.ToArray())), said: null);

        _ = body.ForAttempt(); // an attempt that found no connection
        Assert.That((body.CanBeSentAgain, body.CanBeSentTwiceAtOnce), Is.EqualTo((true, false)));
        Assert.That(await SendAsync(body), Is.EqualTo("once"));

        Assert.That(body.CanBeSentAgain, Is.False);
        await Assert.ThatAsync(() => SendAsync(body), Throws.InvalidOperationException.With.Message.Contains("earlier attempt"));
    }

    [TestCaseSource(nameof(Once))]
    public async Task Content_of_unknown_kind_is_sent_once(HttpContent content)
    {
        var body = new RequestBody(content, said: null);
        Assert.That((body.CanBeSentAgain, body.CanBeSentTwiceAtOnce, body.SurvivesAttempts), Is.EqualTo((true, false, false)));

        await SendAsync(body);

        Assert.That(body.CanBeSentAgain, Is.False);
        await Assert.ThatAsync(() => SendAsync(body), Throws.InvalidOperationException);
    }

    [TestCaseSource(nameof(Held))]
    public void JSON_of_a_collection_can_be_sent_again(object? value) =>
        Assert.That(new RequestBody(JsonContent.Create(value), said: null).CanBeSentTwiceAtOnce, Is.True);

    [Test]
    public async Task An_exception_of_a_derived_content_class_is_a_failure_of_the_content()
    {
        var thrown = new IOException("not today");
        using var attempt = new RequestBody(new OwnBytes { Failure = thrown }, said: null).ForAttempt()!;

        await Assert.CatchAsync<Exception>(() => attempt.CopyToAsync(new MemoryStream()));

        Assert.That(attempt.OwnFailure?.GetBaseException(), Is.SameAs(thrown));
    }

    [Test]
    public async Task A_multipart_with_a_stream_is_sent_once()
    {
        using var parts = new MultipartContent { new StringContent("text"), new StreamContent(new MemoryStream()) };
        var body = new RequestBody(parts, said: null);

        await SendAsync(body);

        Assert.That(body.CanBeSentAgain, Is.False);
    }

    [Test]
    public async Task A_repeatable_stream_is_sent_again_but_not_by_concurrent_attempts()
    {
        var gate = new TaskCompletionSource();
        var body = new RequestBody(new StreamContent(new MemoryStream("again"u8.ToArray())), said: true);
        var slow = new RequestBody(new Gated(gate.Task), said: true);

        Assert.That(await SendAsync(body), Is.EqualTo("again"));
        Assert.That(await SendAsync(body), Is.EqualTo("again"));

        var first = SendAsync(slow);
        Assert.That((slow.CanBeSentAgain, slow.CanBeSentTwiceAtOnce), Is.EqualTo((false, false)));
        await Assert.ThatAsync(() => SendAsync(slow), Throws.InvalidOperationException);
        gate.SetResult();
        await first;
        Assert.That(slow.CanBeSentAgain, Is.True);
    }

    [Test]
    public async Task The_caller_may_forbid_that_content_is_sent_again()
    {
        var body = new RequestBody(new StringContent("once"), said: false);

        await SendAsync(body);

        Assert.That((body.CanBeSentAgain, body.CanBeSentTwiceAtOnce), Is.EqualTo((false, false)));
    }

    // One rule for the timeout of an attempt, its headers, hedging and the choice of the endpoint. A PUT of a stream was cut like a
    // request that is sent again, and was not sent again.
    [TestCase("PUT", "bytes", 3, true)]
    [TestCase("PUT", "stream", 3, false)]
    [TestCase("PUT", "bytes", 1, false)]
    [TestCase("POST", "bytes", 3, false)]
    [TestCase("POST", "stream", 3, false)]
    public void A_request_that_cannot_be_attempted_again_has_all_the_time(string method, string body, int attempts, bool isLimited)
    {
        using var services = ServiceMeshHandlerTests.Services([]);
        using var request = new HttpRequestMessage(new(method), "http://weather/")
        {
            Content = body == "bytes" ? new ByteArrayContent([1]) : new StreamContent(new MemoryStream([1])),
        };
        request.SetRetry(new() { Attempts = attempts, HedgeAfter = TimeSpan.FromSeconds(1) });

        var call = HttpCall.Of(request, services.Find(request.RequestUri)!, new(), isSync: false, default);

        Assert.That(
            (call.AttemptLimit != Timeout.InfiniteTimeSpan, call.MayBeAttemptedAgain, call.IsHedged, call.IsLastAttempt),
            Is.EqualTo((isLimited, isLimited, isLimited, !isLimited)));
    }

    [Test]
    public void Each_attempt_has_the_headers_and_the_length_of_the_content()
    {
        using var content = new StringContent("naïve", Encoding.UTF8, "text/x-test");
        content.Headers.Add("x-own", ["a", "b"]);

        using var attempt = new RequestBody(content, said: null).ForAttempt()!;

        Assert.That(attempt.Headers.ContentType, Is.EqualTo(content.Headers.ContentType));
        Assert.That(attempt.Headers.GetValues("x-own"), Is.EqualTo(["a", "b"]));
        Assert.That(attempt.Headers.ContentLength, Is.EqualTo(6));
        Assert.That(new RequestBody(new Gated(Task.CompletedTask), said: null).ForAttempt()!.Headers.ContentLength, Is.Null);
    }

    private static async Task<string> SendAsync(RequestBody body)
    {
        using var target = new MemoryStream();
        if (body.ForAttempt() is { } content)
        {
            await content.CopyToAsync(target);
        }

        return Encoding.UTF8.GetString(target.ToArray());
    }

    private static async IAsyncEnumerable<int> ItemsAsync()
    {
        await Task.Yield();
        yield return 1;
    }

    private sealed class OwnBytes() : ByteArrayContent([])
    {
        public Exception? Failure { get; init; }

        protected override Task SerializeToStreamAsync(
            Stream stream, System.Net.TransportContext? context, CancellationToken cancellationToken) =>
            Failure is null ? Task.CompletedTask : Task.FromException(Failure);
    }

    private sealed class OwnParts : MultipartContent;

    private sealed class Gated(Task gate) : HttpContent
    {
        protected override Task SerializeToStreamAsync(Stream stream, System.Net.TransportContext? context) => gate;

        protected override bool TryComputeLength(out long length)
        {
            length = 0;
            return false;
        }
    }
}
