using Microsoft.Extensions.DependencyInjection;
using NUnit.Framework;

namespace ServiceMesh.Redis.Tests;

/// <summary>
/// Ruby publishes its request before its own SUBSCRIBE has reached Redis, so a fast answer reaches no connection. What our nodes publish
/// is read from MONITOR.
/// </summary>
public class UnheardAnswerTests : InteropFixture
{
    [Test]
    public async Task An_answer_that_no_connection_heard_is_published_twice_more()
    {
        await StartAsync(mesh => mesh.AddHandler(Ask, (input, _) => input + "!"));
        await using var monitor = await RespConnection.OpenAsync(Redis.Port);
        await monitor.CommandAsync("MONITOR");

        // The caller of the first one listens.
        Assert.That((await Theirs.RequestAsync("interop.ask", "\"first\"", "heard"))!.Data, Is.EqualTo("\"first!\""));
        await Theirs.PublishAsync("gilmour.request.interop.ask", """{"data":"early","code":0,"sender":"unheard"}""");

        var answers = new List<string>();
        while (answers.Count(a => a.Contains("gilmour.response.unheard", StringComparison.Ordinal)) < 3)
        {
            var command = await monitor.MonitoredAsync();
            if (command.Contains("\"PUBLISH\" \"gilmour.response.", StringComparison.Ordinal))
            {
                answers.Add(command[command.IndexOf("\"PUBLISH\"", StringComparison.Ordinal)..]);
            }
        }

        Assert.That(answers, Has.Count.EqualTo(4), "the answer that was heard is published once");
        Assert.That(answers[1..].Distinct().Count(), Is.EqualTo(1), "the same bytes each time");
    }

    [Test]
    public async Task A_caller_that_listens_after_the_first_answer_has_the_second()
    {
        await using var held = new HeldConnection(Redis.Port);
        await StartAsync(
            mesh => mesh.AddHandler(Ask, (input, _) => input + "!"), ("Redis:Configuration", held.Address));
        await using var monitor = await RespConnection.OpenAsync(Redis.Port);
        await monitor.CommandAsync("MONITOR");

        held.HoldNext("gilmour.response.4f1c"u8.ToArray(), after: 1);
        await Theirs.PublishAsync("gilmour.request.interop.ask", """{"data":"early","code":0,"sender":"4f1c"}""");
        while (!(await monitor.MonitoredAsync()).Contains("\"PUBLISH\" \"gilmour.response.4f1c", StringComparison.Ordinal))
        {
            // Another command.
        }

        await Theirs.SubscribeAsync("gilmour.response.4f1c");
        held.Release();

        Assert.That((await Theirs.HearAsync()).Data, Is.EqualTo("\"early!\""));
    }
}
