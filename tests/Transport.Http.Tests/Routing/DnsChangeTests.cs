using System.Collections.Concurrent;
using System.Diagnostics;
using Microsoft.Extensions.DependencyInjection;
using NUnit.Framework;
using ServiceMesh.Conformance;
using ServiceMesh.Support;
using static ServiceMesh.Http.Tests.HttpNodes;

namespace ServiceMesh.Http.Tests;

public sealed class DnsChangeTests
{
    private static readonly TimeSpan s_timeToLive = TimeSpan.FromSeconds(5);

    [Test]
    public async Task A_changed_DNS_answer_moves_the_traffic_within_its_time_to_live()
    {
        var port = FreePort.Next();
        await using var dns = await DnsServer.StartAsync("--host-record=weather.internal,127.0.0.1", "--local-ttl=5");
        await using var old = await StartAsync(
            mesh => mesh.AddHandler(Ask, (_, context) => context.NodeId), ("Http:Listen", $"http://127.0.0.1:{port}"),
            ("Http:Server:Hosts", "weather.internal"));
        await using var young = await StartAsync(
            mesh => mesh.AddHandler(Ask, (_, context) => context.NodeId), ("Http:Listen", $"http://127.0.0.2:{port}"),
            ("Http:Server:Hosts", "weather.internal"));
        await using var caller = await StartAsync(
            null, ("Http:Services:weather:Address", $"dns://weather.internal:{port}"), ("Http:Dns:Servers", $"{dns.EndPoint}"));
        var failures = new ConcurrentBag<string>();
        using var enough = new CancellationTokenSource();
        var last = await caller.Bus.RequestAsync(Ask, "").InTime();
        Assert.That(last, Is.EqualTo(old.Bus.DescribeNode().Id));
        var load = Task.Run(async () =>
        {
            while (!enough.IsCancellationRequested)
            {
                var reply = await caller.Bus.TryRequestAsync(Ask, "");
                last = reply.Value ?? last;
                if (!reply.IsSuccess)
                {
                    failures.Add(reply.Failure.Message);
                }

                await Task.Delay(1);
            }
        });

        await dns.ChangeAsync("--host-record=weather.internal,127.0.0.2", "--local-ttl=5");
        var watch = Stopwatch.StartNew();
        await Failsafe.UntilAsync(() => Volatile.Read(ref last) == young.Bus.DescribeNode().Id);
        var moved = watch.Elapsed;
        await enough.CancelAsync();
        await load.InTime();

        Assert.That(failures, Is.Empty);
        Assert.That(moved, Is.LessThan(s_timeToLive + TimeSpan.FromSeconds(1)));
    }
}
