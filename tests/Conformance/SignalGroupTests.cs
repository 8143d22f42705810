using Microsoft.Extensions.DependencyInjection;
using NUnit.Framework;
using static ServiceMesh.Conformance.Contracts;

namespace ServiceMesh.Conformance;

/// <summary>
/// Groups of subscribers: one member of each group receives a signal, and so does every subscriber without a group.
/// A transport without groups of signals refuses them at start.
/// </summary>
public abstract class SignalGroupTests<TFactory> : ConformanceFixture<TFactory>
    where TFactory : TransportFactory, new()
{
    [Test]
    public async Task Each_group_and_each_subscriber_without_one_gets_a_signal_once()
    {
        var received = new Inbox<(string By, string News)>();
        void Subscribe(IServiceMeshBuilder mesh, string? group) => mesh.AddHandler(
            News, (news, context) => received.Put((context.Group ?? "alone", news)), options => options.Group = group);
        if (!Can(TransportFeatures.SignalGroups))
        {
            await AssertRefusedAsync();
            return;
        }

        var members = await StartAsync(3, mesh =>
        {
            Subscribe(mesh, "red");
            Subscribe(mesh, "green");
        });
        var individual = await StartAsync(mesh => Subscribe(mesh, null));
        var sender = await StartAsync();

        var sent = await Task.WhenAll(Enumerable.Range(0, 300).Select(i => sender.Bus.SignalAsync(News, $"{i}")));
        await received.NextAsync(900);
        await StopAsync([.. members, individual]);

        using (Assert.EnterMultipleScope())
        {
            Assert.That(received.All, Has.Count.EqualTo(900).And.Unique);
            Assert.That(
                received.All.CountBy(r => r.By).ToDictionary(),
                Is.EquivalentTo(new Dictionary<string, int> { ["red"] = 300, ["green"] = 300, ["alone"] = 300 }));
            Assert.That(sent.Select(s => s.Receivers).Distinct().Single(), IsCountOf(nodes: 4, subscriptions: 3));
        }
    }

    [Test]
    public async Task A_member_that_is_full_leaves_the_signal_to_another()
    {
        if (!Can(TransportFeatures.SignalGroups))
        {
            await AssertRefusedAsync();
            return;
        }

        var held = new Held();
        var received = new Inbox<string>();
        await StartAsync(6, mesh => mesh.AddHandler(
            News,
            async (string news, HandlerContext context) => received.Put(news == "stay" ? await held.HandleAsync(news, context) : news),
            options => (options.Group, options.MaxConcurrency, options.MaxQueued) = ("workers", 1, 0)));
        var sender = await StartAsync();
        await sender.Bus.SignalAsync(News, "stay");
        await held.EnteredAsync();

        // One of the six members is full, and some of these signals reach it first.
        for (var i = 0; i < 24; i++)
        {
            await sender.Bus.SignalAsync(News, $"{i}");
            Assert.That(await received.NextAsync(), Is.EqualTo($"{i}"));
        }

        held.Release();
        Assert.That(await received.NextAsync(), Is.EqualTo("stay"));
    }

    [Test]
    public async Task Members_of_a_group_with_different_patterns_are_still_one_group()
    {
        if (!Can(TransportFeatures.SignalGroups | TransportFeatures.Patterns))
        {
            await Assert.ThrowsAsync<InvalidOperationException>(() => StartAsync(
                mesh => mesh.AddHandler(new SignalPattern<string>("*"), (_, _) => { }, options => options.Group = "workers")));
            return;
        }

        var received = new Inbox<string>();
        var members = new List<MeshNode>();
        foreach (var pattern in (string[])["conformance.news", "conformance.*", "*.news"])
        {
            members.Add(await StartAsync(mesh => mesh.AddHandler(
                new SignalPattern<string>(pattern), received.ReceiveAsync, options => options.Group = "workers")));
        }

        var sender = await StartAsync();
        await Task.WhenAll(Enumerable.Range(0, 100).Select(i => sender.Bus.SignalAsync(News, $"{i}")));
        await received.NextAsync(100);
        await StopAsync([.. members]);

        Assert.That(received.All, Is.Unique.And.Count.EqualTo(100));
    }

    private async Task AssertRefusedAsync()
    {
        var refusal = await Assert.ThrowsAsync<InvalidOperationException>(
            () => StartAsync(mesh => mesh.AddHandler(News, (_, _) => { }, options => options.Group = "workers")));
        Assert.That(refusal?.Message, Does.Contain("workers").And.Contain(nameof(TransportFeatures.SignalGroups)));
    }
}
