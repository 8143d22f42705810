using System.Net;
using Microsoft.Extensions.Logging.Abstractions;
using NUnit.Framework;
using ServiceMesh.Support;

namespace ServiceMesh.Http.Tests;

/// <summary>
/// If an attempt may have run and later ones were refused, no reply may say that the request was not processed: a caller that believes
/// it would send the request again.
/// </summary>
public sealed class DoubtTests
{
    private static readonly AttemptResult<ReplyMessage> s_broken = new(null, ScriptedOutcomes.Broken, new IOException("reset"));

    private static AttemptResult<ReplyMessage>[] Refusals =>
    [
        new(ReplyMessage.Failure(StatusCode.Overloaded, "Full.", notProcessed: true), ScriptedOutcomes.Declined),
        new(ReplyMessage.Failure(StatusCode.NotFound, "Not mine.", notProcessed: true), ScriptedOutcomes.Declined),
        new(ReplyMessage.Failure(StatusCode.Unavailable, "None.", notProcessed: true), AttemptOutcome.NotMade),
        new(ReplyMessage.Failure(StatusCode.BodyTooLarge, "Too large.", notProcessed: true), ScriptedOutcomes.Answered),
        new(null, AttemptOutcome.NotMade, Refusal()),
        new(null, ScriptedOutcomes.NotSent, new HttpRequestException(HttpRequestError.ConnectionError, "refused")),
    ];

    [Test]
    public void The_bus_does_not_call_a_request_unprocessed_that_may_have_run([Range(0, 5)] int last, [Values] bool isFirstRemembered)
    {
        var call = Call();
        call.Attempts.End(AttemptOutcome.OfFailure(wasSent: true));
        if (isFirstRemembered)
        {
            call.Discard(s_broken);
        }

        var reply = call.Complete(Refusals[last]);

        Assert.That((reply.NotProcessed, reply.Status.IsFailure), Is.EqualTo((false, true)), reply.Error);
    }

    [Test]
    public void The_reply_reports_the_attempt_that_may_have_run_not_the_last_refusal()
    {
        var call = Call();
        call.Attempts.End(AttemptOutcome.OfFailure(wasSent: true));
        call.Discard(s_broken);
        call.Discard(Refusals[0]);

        var reply = call.Complete(Refusals[0]);

        Assert.That(reply.Status, Is.EqualTo(StatusCode.Unavailable));
        Assert.That(reply.Error, Does.EndWith("It is not known whether a handler ran."));
    }

    [Test]
    public void Concurrent_ends_do_not_hide_the_attempt_that_may_have_run()
    {
        var calls = Enumerable.Range(0, 20_000).Select(_ => Call()).ToArray();
        using var both = new Barrier(2);
        Parallel.Invoke(() => DiscardAll(s_broken), () => DiscardAll(Refusals[0]));

        Assert.That(calls.Select(c => c.NoEndpoint()), Is.All.EqualTo(s_broken));

        void DiscardAll(AttemptResult<ReplyMessage> answer)
        {
            foreach (var call in calls)
            {
                both.SignalAndWait();
                call.Discard(answer);
            }
        }
    }

    [Test]
    public void The_bus_says_not_processed_if_nothing_may_have_run([Range(0, 5)] int last) =>
        Assert.That(Call().Complete(Refusals[last]).NotProcessed, Is.True);

    [Test]
    public async Task An_HttpClient_exception_says_if_an_attempt_may_have_run([Values] bool mayHaveRun)
    {
        await using var server = await FaultServer.StartAsync();
        using var services = ServiceMeshHandlerTests.Services([server]);
        using var request = new HttpRequestMessage(HttpMethod.Get, "http://weather/");
        var call = HttpCall.Of(request, services.Find(new("http://weather/"))!, new(), isSync: false, default);
        Doubt(call.Attempts, mayHaveRun);
        Exception[] refusals =
        [
            Refusal(), new HttpRequestException(HttpRequestError.ConnectionError, "refused"),
            new HttpRequestException(
                "no endpoint", new RequestNotSentException("no endpoint")), new HttpRequestException("open", Refusal()),
        ];

        foreach (var refusal in refusals)
        {
            var failure = Assert.Throws<HttpRequestException>(() => call.Complete(new(null, ScriptedOutcomes.NotSent, refusal)));

            Assert.That(
                failure!.Message.Contains("it is not known whether it was processed", StringComparison.Ordinal),
                Is.EqualTo(mayHaveRun),
                failure.ToString());
            Assert.That(
                failure.InnerException is RequestNotSentException or CircuitOpenException,
                Is.EqualTo(!mayHaveRun && refusal is not HttpRequestException { InnerException: null }));
        }
    }

    [TestCase(false, "10.0.0.7:80 of service 'weather' broke before the response was complete")]
    [TestCase(true, "http://10.0.0.7:80 of service 'weather' cannot be reached")]
    public async Task An_HttpClient_exception_names_the_endpoint_that_failed(bool isUnsent, string expected)
    {
        await using var server = await FaultServer.StartAsync();
        using var services = ServiceMeshHandlerTests.Services([server]);
        using var request = new HttpRequestMessage(HttpMethod.Get, "http://weather/");
        var call = HttpCall.Of(request, services.Find(new("http://weather/"))!, new(), isSync: false, default);
        var failure = new HttpRequestException(isUnsent ? HttpRequestError.ConnectionError : HttpRequestError.ResponseEnded, "reset");

        var told = Assert.Throws<HttpRequestException>(() => call.Complete(
            new(
                null,
                isUnsent ? ScriptedOutcomes.NotSent : ScriptedOutcomes.Broken,
                failure)
            { FailedAt = new(new("10.0.0.7", 80), TimeProvider.System) }));

        Assert.That(told!.Message, Does.Contain(expected));
    }

    [Test]
    public async Task A_not_processed_header_is_removed_if_an_attempt_may_have_run([Values] bool mayHaveRun)
    {
        await using var server = await FaultServer.StartAsync();
        using var services = ServiceMeshHandlerTests.Services([server]);
        using var request = new HttpRequestMessage(HttpMethod.Get, "http://weather/");
        using var response = new HttpResponseMessage(HttpStatusCode.TooManyRequests) { Headers = { { "mesh-not-processed", "1" } } };
        var call = HttpCall.Of(request, services.Find(new("http://weather/"))!, new(), isSync: false, default);
        Doubt(call.Attempts, mayHaveRun);

        Assert.That(
            call.Complete(new(response, ScriptedOutcomes.Declined)).Headers.Contains("mesh-not-processed"), Is.EqualTo(!mayHaveRun));
    }

    private static CircuitOpenException Refusal()
    {
        var breaker = new CircuitBreaker("weather");
        breaker.Open();
        return breaker.Refusal();
    }

    private static void Doubt(AttemptHistory attempts, bool mayHaveRun)
    {
        if (mayHaveRun)
        {
            attempts.End(ScriptedOutcomes.Broken);
        }
    }

    private static MessageCall Call() => new(
        new Message
        {
            Id = new(
            "node-1", 7),
            Kind = MessageKind.Request,
            Topic = Topic.Parse("test.ask"),
            ContentType = "application/json"
        },
        new(new("RoundRobin", "test.ask", () => throw new NotSupportedException(), NullLogger.Instance), [], "weather",
            HashBy.Header, "key", new()),
        Routes.None,
        null!);
}
