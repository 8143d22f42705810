using System.Text;
using Microsoft.Extensions.DependencyInjection;
using NUnit.Framework;

namespace ServiceMesh.Redis.Tests;

/// <summary>Foreign requests that are larger than a node accepts, with the name of the caller at one end.</summary>
public class LargeRequestTests : InteropFixture
{
    private static readonly (string, string) s_limit = ("Request:MaxBodyBytes", "1024");
    private static readonly string s_large = new('x', 80_000);

    [TestCase("""{"data":"DATA","code":200,"sender":"4f1c"}""", Description = "Go and Ruby")]
    [TestCase("""{"sender":"4f1c","code":200,"data":"DATA"}""", Description = "Java")]
    [TestCase("""{ "data" : "DATA", "sender" : "4f1c" }""", Description = "with spaces")]
    public async Task A_foreign_request_that_is_too_large_is_answered_with_413(string request)
    {
        await StartAsync(mesh => mesh.AddHandler(Ask, (input, _) => input), s_limit);
        await Theirs.SubscribeAsync("gilmour.response.4f1c");

        await Theirs.PublishAsync("gilmour.request.interop.ask", request.Replace("DATA", s_large, StringComparison.Ordinal));
        var answer = await Theirs.HearAsync();

        Assert.That(answer.Code, Is.EqualTo(413));
        Assert.That(answer.Data, Does.Contain("accepts 1024").And.Contain("ServiceMesh:Request:MaxBodyBytes"));
    }

    [Test]
    public async Task Of_two_members_that_accept_less_one_answers()
    {
        await StartAsync(mesh => mesh.AddHandler(Ask, (input, _) => input), s_limit);
        await StartAsync(mesh => mesh.AddHandler(Ask, (input, _) => input), s_limit);
        await Theirs.SubscribeAsync("gilmour.response.*");

        await Theirs.PublishAsync("gilmour.request.interop.ask", $$"""{"data":"{{s_large}}","code":200,"sender":"one"}""");
        Assert.That((await Theirs.HearAsync()).Channel, Is.EqualTo("gilmour.response.one"));
        await Theirs.PublishAsync("gilmour.request.interop.ask", $$"""{"data":"{{s_large}}","code":200,"sender":"two"}""");
        Assert.That((await Theirs.HearAsync()).Channel, Is.EqualTo("gilmour.response.two"));
    }

    [Test]
    public async Task A_request_that_another_member_has_claimed_is_left_to_it()
    {
        await StartAsync(mesh => mesh.AddHandler(Ask, (input, _) => input), s_limit);
        await Theirs.SubscribeAsync("gilmour.response.*");
        await Theirs.CommandAsync("SET", "theirs_default", "theirs_default", "NX", "EX", "600");

        await Theirs.PublishAsync("gilmour.request.interop.ask", $$"""{"data":"{{s_large}}","code":200,"sender":"theirs"}""");
        await Theirs.PublishAsync("gilmour.request.interop.ask", $$"""{"data":"{{s_large}}","code":200,"sender":"free"}""");

        Assert.That((await Theirs.HearAsync()).Channel, Is.EqualTo("gilmour.response.free"));
    }

    [TestCase("""{"data":{"sender":"inner"}}""", Description = "the only sender is in the data")]
    [TestCase("""{"data":"a \"sender\":\"inner\"}"}""", Description = "the only sender is text")]
    [TestCase("""{"data":1,"sender":""}""", Description = "no name")]
    [TestCase("""{"data":1,"sender":7}""", Description = "not a text")]
    [TestCase("""{"data":1,"sender":"cut of""", Description = "cut off")]
    [TestCase("""[{"sender":"s"}]""", Description = "not an envelope")]
    [TestCase("", Description = "empty")]
    public void A_frame_without_the_sender_of_an_envelope_has_no_caller(string frame) =>
        Assert.That(GilmourWire.TryFindSender(Encoding.UTF8.GetBytes(frame), out _), Is.False);

    [Test]
    public void Our_own_request_has_its_caller_found_behind_a_large_body()
    {
        var request = new Message
        {
            Id = new("n1", 7),
            Kind = MessageKind.Request,
            Topic = Ask.Topic,
            Headers = Headers.Of(("traceparent", "00-1-2-01")),
            ContentType = "application/json",
            Body = Encoding.UTF8.GetBytes($"\"{s_large}\""),
        };

        Assert.That(GilmourWire.TryFindSender(GilmourWire.Write(request), out var caller), Is.True);
        Assert.That(caller, Is.EqualTo(request.Id));
    }
}
