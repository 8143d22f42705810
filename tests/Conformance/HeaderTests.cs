using System.Diagnostics;
using Microsoft.Extensions.DependencyInjection;
using NUnit.Framework;
using static ServiceMesh.Conformance.Contracts;

namespace ServiceMesh.Conformance;

/// <summary>Headers of requests and of replies.</summary>
public abstract class HeaderTests<TFactory> : ConformanceFixture<TFactory>
    where TFactory : TransportFactory, new()
{
    [TestCase("plain")]
    [TestCase("")]
    [TestCase(" space before and after ")]
    [TestCase("Grüße 日本語 👩‍👩‍👧‍👦")]
    [TestCase("a=1; b=\"2, 3\", c: \\4 %41 %zz =?utf-8?q?x?=")]
    public async Task Headers_of_a_request_and_of_its_reply_arrive_unchanged(string value)
    {
        await StartAsync(mesh => mesh.AddHandler(Ask, (input, context) =>
        {
            context.ReplyHeaders = Headers.Of(("answered", context.Headers["x-asked"] ?? "missing"), ("content-type", "mine"));
            return input;
        }));
        var caller = await StartAsync();

        var reply = await caller.Bus.TryRequestAsync(Ask, "", new() { Headers = Headers.Of(("X-Asked", value)) });

        using (Assert.EnterMultipleScope())
        {
            Assert.That(reply.Headers["Answered"], Is.EqualTo(value), "names ignore case");
            Assert.That(reply.Headers["content-type"], Is.EqualTo("mine"), "a name that the wire may use itself");
        }
    }

    [TestCase("host")]
    [TestCase("content-length")]
    [TestCase("content-type")]
    [TestCase("connection")]
    [TestCase("transfer-encoding")]
    [TestCase("authorization")]
    [TestCase("sender")]
    [TestCase("data")]
    [TestCase("code")]
    [TestCase("mesh.deadline")]
    public async Task A_header_may_have_a_name_that_the_wire_uses_itself(string name)
    {
        await StartAsync(mesh => mesh.AddHandler(Ask, (_, context) => context.Headers[name] ?? "missing"));
        var caller = await StartAsync();

        var answer = await caller.Bus.RequestAsync(Ask, "", new RequestOptions { Headers = Headers.Of((name, "mine")) });

        Assert.That(answer, Is.EqualTo("mine"));
    }

    [Test]
    public async Task Headers_of_a_failure_arrive_too()
    {
        await StartAsync(mesh => mesh.AddHandler(Ask, (input, context) =>
        {
            context.Status = (StatusCode)409;
            context.ReplyHeaders = Headers.Of(("version", "7"));
            return input;
        }));
        var caller = await StartAsync();

        var reply = await caller.Bus.TryRequestAsync(Ask, "");

        Assert.That((reply.Status, reply.Headers["version"]), Is.EqualTo(((StatusCode)409, "7")));
    }

    [Test]
    public async Task A_message_without_headers_has_none()
    {
        await StartAsync(mesh => mesh.AddHandler(Ask, (_, context) => string.Join(", ", context.Headers.Select(h => h.Key))));
        var caller = await StartAsync();

        var reply = await caller.Bus.TryRequestAsync(Ask, "");

        Assert.That((reply.Value, reply.Headers.Count), Is.EqualTo(("", 0)));
    }

    [TestCase(false)]
    [TestCase(true)]
    public async Task The_largest_allowed_headers_arrive_with_and_without_tracing(bool traced)
    {
        using var listener = new ActivityListener
        {
            ShouldListenTo = source => traced && source.Name == "ServiceMesh",
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllData,
        };
        ActivitySource.AddActivityListener(listener);
        await StartAsync(mesh => mesh.AddHandler(
            Ask, (_, context) => $"{context.Headers.Where(h => h.Value.StartsWith('v')).Sum(h => h.Value.Length)}"));
        var caller = await StartAsync();

        // 64 names of three characters leave 8,000 for the values.
        var largest = Enumerable.Range(100, Headers.MaxCount).Aggregate(Headers.Empty, (all, i) => all.With($"{i}", new string('v', 125)));
        var answer = await caller.Bus.RequestAsync(Ask, "", new RequestOptions { Headers = largest });

        Assert.That(answer, Is.EqualTo("8000"));
    }
}
