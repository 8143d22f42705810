using System.Collections.Concurrent;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using NUnit.Framework;
using ServiceMesh.Support;

namespace ServiceMesh.Core.Tests;

/// <summary>What happens because of a report is not reported again.</summary>
public sealed class ReportLoopTests
{
    private static readonly RequestTopic<string, string> s_fails = new("loop.fails");
    private static readonly RequestTopic<string, string> s_relays = new("loop.relays");
    private static readonly RequestTopic<string, string> s_gone = new("loop.gone");
    private static readonly SignalTopic<string> s_news = new("loop.news");

    public enum Cause
    {
        NoHandler,
        HandlerThrows,
        HandlerBehindAnother,
        SignalHandlerThrows,
        LocalStep,
    }

    [Test]
    public async Task A_handler_of_reports_whose_own_messages_fail_hears_of_one_failure_once([Values] Cause cause)
    {
        var (network, heard) = (new InMemoryNetwork(), new ConcurrentQueue<ErrorReport>());
        var handled = Failsafe.Signal();
        await using var other = await TestNode.StartAsync(bus => bus.AddInMemoryTransport(network)
            .AddHandler(s_fails, string (_, _) => throw new InvalidOperationException())
            .AddHandler(s_relays, (input, context) => context.Bus.RequestAsync(s_fails, input, context.CancellationToken))
            .AddHandler(s_news, (_, _) => throw new InvalidOperationException()));
        await using (var watcher = await TestNode.StartAsync(bus => bus.AddInMemoryTransport(network).AddHandler(
            MeshTopics.Errors, async (report, context) =>
            {
                heard.Enqueue(report);
                await (cause switch
                {
                    Cause.NoHandler => context.Bus.TryRequestAsync(s_gone, ""),
                    Cause.HandlerThrows => context.Bus.TryRequestAsync(s_fails, ""),
                    Cause.HandlerBehindAnother => context.Bus.TryRequestAsync(s_relays, ""),
                    Cause.SignalHandlerThrows => context.Bus.SignalAsync(s_news, ""),
                    _ => (Task)context.Bus.TryExecuteAsync(
                        Compose.Lambda((string s) => s.Length < 0 ? 1 : throw new InvalidOperationException()), ""),
                });
                handled.TrySetResult();
            })))
        {
            await watcher.Bus.TryRequestAsync(s_gone, "first").Soon();
            await handled.Task.Soon();
            await Failsafe.Until(() => watcher.Log.Has(LogLevel.Warning, "is left out") || other.Log.Has(LogLevel.Warning, "is left out"));
            await watcher.StopAsync().Soon();
        }

        // Both have stopped, so what they would have reported is there.
        await other.StopAsync().Soon();
        Assert.That(heard.Select(r => r.Data), Is.EqualTo(["\"first\""]));
    }

    [Test]
    public async Task The_mark_of_a_report_does_not_stay_with_later_messages()
    {
        var heard = new ConcurrentQueue<ErrorReport>();
        await using var node = await TestNode.StartAsync(bus => bus.AddInMemoryTransport()
            .AddHandler(MeshTopics.Errors, async (report, context) =>
            {
                heard.Enqueue(report);
                await context.Bus.TryRequestAsync(s_gone, "inner");
            }));
        for (var i = 1; i <= 5; i++)
        {
            await node.Bus.TryRequestAsync(s_gone, $"{i}").Soon();
            await Failsafe.Until(() => heard.Count == i);
        }

        Assert.That(heard.Select(r => r.Data), Is.EqualTo(["\"1\"", "\"2\"", "\"3\"", "\"4\"", "\"5\""]));
    }
}
