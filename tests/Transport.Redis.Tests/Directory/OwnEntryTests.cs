using System.Diagnostics.CodeAnalysis;
using System.Diagnostics.Metrics;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using NUnit.Framework;
using ServiceMesh.Conformance;
using ServiceMesh.Links;
using ServiceMesh.Redis.Tests.Connection;
using ServiceMesh.Redis.Tests.Sealing;
using ServiceMesh.Support;
using StackExchange.Redis;

namespace ServiceMesh.Redis.Tests.Directory;

/// <summary>What a node writes of itself.</summary>
public sealed class OwnEntryTests
{
    [Test]
    public async Task A_change_that_comes_during_a_renewal_leaves_a_readable_entry()
    {
        await using var redis = await RedisServer.StartAsync();
        var (node, context) = await ContextProbe.StartAsync();
        await using var own = node;
        var meters = node.Services.GetRequiredService<IMeterFactory>();
        var connection = new RedisConnection(
            new() { Configuration = redis.Address }, new(new(), meters, context.Clock, NullLogger.Instance));
        await connection.OpenAsync(context, new Nothing(), CancellationToken.None).InTime();
        var shared = new SharedClock(context.Clock);
        var seal = NodeSealTests.SealOf(NodeSealTests.KeyOf(1));
        var format = new Hook(new SealedEntry(seal, new(seal, () => 1), () => 1, id => DirectoryStore.KeyOf("mesh", id)));
        var store = new DirectoryStore(connection, new(connection, shared, context.Clock, "mesh"), context.Clock, "mesh", format, null);
        var links = new LinkSet(context.NodeId, _ => (_, _) => ValueTask.FromResult(WriteOutcome.Written), new() { MaxBodyBytes = 1 },
            context.Clock, shared)
        {
            OnLoss = _ => { },
        };
        var entry = new OwnEntry(
            store, new(store, links, context, _ => { }, _ => true, new Random(1)), connection, context, NullLogger.Instance);
        await entry.StartAsync(new("a", "weather", "host", 1, 1, WireFormat.Version, true), links.To("a")).InTime();
        Assert.That((await store.ReadAsync("a"))!.State.Version, Is.EqualTo(1));
        var changing = Task.CompletedTask;
        format.OnRenewal = () =>
        {
            format.OnRenewal = null;
            changing = entry.ChangeAsync([Offer("r:weather.fetch:_default")], [], CancellationToken.None);
            // A write that does not wait for the renewal gets so long to overtake it.
            _ = changing.Wait(TimeSpan.FromSeconds(1));
        };

        await entry.RenewAsync().InTime();
        await changing.InTime();

        Assert.That((await store.ReadAsync("a"))?.State, Is.EqualTo(new EntryState(2, 1, false)));
        await links.CloseAsync("The test ends.").InTime();
        await connection.CloseAsync().InTime();
    }

    private static Offer Offer(string text) => Redis.Offer.TryRead(text, out var offer) ? offer : throw new FormatException(text);

    private sealed class Nothing : IConnectionUser
    {
        public Task RestoreAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task BeatAsync(long number) => Task.CompletedTask;

        public void OnGap(string reason)
        {
            // There is nothing that waits.
        }

        public void OnWhole()
        {
            // There is nothing to restore.
        }
    }

    /// <summary>Calls the test after a renewal has taken the state, and before it leaves.</summary>
    private sealed class Hook(IEntryFormat inner) : IEntryFormat
    {
        public Action? OnRenewal { get; set; }

        public int FieldsOf(int offers) => inner.FieldsOf(offers);

        public HashEntry[] Whole(Announcement self, EntryState state, IReadOnlyCollection<Offer> offers) =>
            inner.Whole(self, state, offers);

        public (HashEntry[] Written, RedisValue[] Removed) Change(
            Announcement self, EntryState state, IReadOnlyCollection<Offer> offers, IReadOnlyList<Offer> added,
            IReadOnlyList<Offer> removed) =>
            inner.Change(self, state, offers, added, removed);

        public HashEntry[] Renewal(string id, EntryState state)
        {
            var fields = inner.Renewal(id, state);
            OnRenewal?.Invoke();
            return fields;
        }

        public bool TryReadState(string id, RedisValue field, out EntryState state) => inner.TryReadState(id, field, out state);

        public bool TryRead(string id, HashEntry[] fields, [NotNullWhen(true)] out Entry? entry) => inner.TryRead(id, fields, out entry);

        public bool IsOfOtherKeys(RedisValue state) => inner.IsOfOtherKeys(state);

        public bool LacksSeal(RedisValue state) => inner.LacksSeal(state);
    }
}
