using System.Diagnostics.Metrics;
using System.Runtime.CompilerServices;
using System.Threading.Channels;
using Microsoft.Extensions.Time.Testing;
using NUnit.Framework;
using ServiceMesh.Conformance;

namespace ServiceMesh.Http.Tests;

[CancelAfter(30_000)]
public sealed class GroupWatcherTests
{
    [Test]
    public async Task An_endpoint_stays_the_same_object_for_as_long_as_its_address_is_there()
    {
        var (resolver, clock) = (new ScriptedResolver(), new FakeTimeProvider());
        await using var watched = Watched.Start(clock, resolver);
        resolver.Find(new ResolvedAddress("a", 1), new ResolvedAddress("b", 2));
        await watched.NextAsync();
        var before = watched.Group.Endpoints;
        resolver.Find(new ResolvedAddress("b", 2) { Weight = 7, Priority = 1 }, new ResolvedAddress("c", 3), new ResolvedAddress("c", 3));
        Assert.That(await watched.NextAsync(), Is.EqualTo(["c:3", "b:2"]), "by priority");
        Assert.That(watched.Group.Endpoints[1], Is.SameAs(before[1]));
        Assert.That((before[1].Address.Weight, before[1].Address.Priority), Is.EqualTo((7, 1)));
    }

    [Test]
    public async Task A_doubly_listed_address_counts_with_the_same_entry_in_any_order()
    {
        var (resolver, clock) = (new ScriptedResolver(), new FakeTimeProvider());
        await using var watched = Watched.Start(clock, resolver);
        ResolvedAddress[] listed = [new("a", 1) { Priority = 1, Weight = 9 }, new("a", 1) { Weight = 2 }, new("a", 1) { Weight = 3 }];
        resolver.Find(listed);
        await watched.NextAsync();
        Assert.That(watched.Group.Endpoints.Single().Address, Is.SameAs(listed[2]));
        resolver.Find([.. listed.Reverse()]);
        await resolver.ReadAsync();
        Assert.That(watched.Group.Endpoints.Single().Address, Is.SameAs(listed[2]));
    }

    [Test]
    public async Task A_change_that_connections_depend_on_makes_another_endpoint()
    {
        var (resolver, clock) = (new ScriptedResolver(), new FakeTimeProvider());
        await using var watched = Watched.Start(clock, resolver);
        resolver.Find(new ResolvedAddress("a", 1));
        await watched.NextAsync();
        var before = watched.Group.Endpoints[0];
        resolver.Find(new ResolvedAddress("a", 1) { Tls = true });
        await watched.NextAsync();
        Assert.That(watched.Group.Endpoints[0], Is.Not.SameAs(before));
    }

    [Test]
    public async Task A_later_endpoint_starts_slowly_and_a_first_one_does_not()
    {
        var (resolver, clock) = (new ScriptedResolver(), new FakeTimeProvider());
        await using var watched = Watched.Start(clock, resolver);
        resolver.Find(new ResolvedAddress("a", 1));
        await watched.NextAsync();
        resolver.Find(new ResolvedAddress("a", 1), new ResolvedAddress("b", 2));
        await watched.NextAsync();
        Assert.That(watched.Group.Endpoints.Select(e => e.EffectiveWeight), Is.EqualTo([1.0, 0.1]));
    }

    [Test]
    public async Task A_repeated_answer_renews_the_age_and_is_not_passed_on()
    {
        var (resolver, clock) = (new ScriptedResolver(), new FakeTimeProvider());
        await using var watched = Watched.Start(clock, resolver);
        Assert.That(watched.Group.Age, Is.Null);
        resolver.Find(new ResolvedAddress("a", 1));
        await watched.NextAsync();
        clock.Advance(TimeSpan.FromSeconds(10));
        Assert.That(watched.Group.Age, Is.EqualTo(TimeSpan.FromSeconds(10)));
        resolver.Find(new ResolvedAddress("a", 1));
        resolver.Find(new ResolvedAddress("b", 1));
        Assert.That(await watched.NextAsync(), Is.EqualTo(["b:1"]), "the next set that was passed on");
        Assert.That(watched.Group.Age, Is.EqualTo(TimeSpan.Zero));
    }

    [Test]
    public async Task The_last_good_set_stays_when_resolution_fails_and_its_age_can_be_measured()
    {
        var (resolver, clock) = (new ScriptedResolver(), new FakeTimeProvider());
        await using var watched = Watched.Start(clock, resolver);
        resolver.Find(new ResolvedAddress("a", 1));
        await watched.NextAsync();
        clock.Advance(TimeSpan.FromSeconds(42));
        resolver.Fail("The server is on fire.");
        await resolver.ReadAsync();
        Assert.That(watched.Group.Failure, Is.EqualTo("The server is on fire."));
        Assert.That(watched.Group.Endpoints, Has.Length.EqualTo(1));
        Assert.That(
            Measure(watched.Group).Where(m => m.StartsWith("servicemesh.discovery", StringComparison.Ordinal)),
            Is.EqualTo(["servicemesh.discovery.age weather 42", "servicemesh.discovery.endpoints weather 1"]));
        resolver.Find();
        Assert.That(await watched.NextAsync(), Is.Empty, "that there is none is an answer");
        Assert.That(watched.Group.Failure, Is.Null);
    }

    [Test]
    public async Task The_first_result_is_awaited_even_if_it_is_a_failure()
    {
        var (resolver, clock) = (new ScriptedResolver(), new FakeTimeProvider());
        await using var watched = Watched.Start(clock, resolver);
        Assert.That(watched.Group.FirstResult.IsCompleted, Is.False);
        resolver.Fail("No such name.");
        await watched.Group.FirstResult;
        Assert.That((watched.Group.Failure, watched.Group.Age), Is.EqualTo(("No such name.", (TimeSpan?)null)));
    }

    [TestCase("a b", 1, 1, 0, null, "'a b' is neither an IP address nor a host name")]
    [TestCase("a/b", 1, 1, 0, null, "'a/b' is neither an IP address nor a host name")]
    [TestCase("[::1]", 1, 1, 0, null, "'[::1]' is neither an IP address nor a host name")]
    [TestCase("", 1, 1, 0, null, "'' is neither an IP address nor a host name")]
    [TestCase(null, 1, 1, 0, null, "'' is neither an IP address nor a host name")]
    [TestCase("a", 0, 1, 0, null, "the port of 'a' is 0; a port is 1 to 65535")]
    [TestCase("a", 65536, 1, 0, null, "the port of 'a' is 65536; a port is 1 to 65535")]
    [TestCase("a", 1, -1, 0, null, "the weight of 'a:1' is -1; a weight is 0 to 65535")]
    [TestCase("a", 1, 1, -1, null, "the priority of 'a:1' is -1; a priority is 0 to 65535")]
    [TestCase("a", 1, 1, 0, "b:c", "the name of 'a:1' is 'b:c', which is not a host name")]
    public async Task An_invalid_address_of_a_resolver_is_a_failure_with_the_reason(
        string? host, int port, int weight, int priority, string? name, string complaint)
    {
        var (resolver, clock) = (new ScriptedResolver(), new FakeTimeProvider());
        await using var watched = Watched.Start(clock, resolver);
        resolver.Find(new ResolvedAddress("good", 1));
        await watched.NextAsync();
        resolver.Find(new("good", 2), new(host!, port) { Weight = weight, Priority = priority, Name = name });
        await resolver.ReadAsync();
        Assert.That(watched.Group.Failure, Is.EqualTo($"The resolver of 'test://x' returned an invalid address: {complaint}."));
        Assert.That(watched.Group.Endpoints.Single().Address.Port, Is.EqualTo(1), "the last good set");
        resolver.Find([null!]);
        await resolver.ReadAsync();
        Assert.That(watched.Group.Failure, Does.Contain("returned null in place of an address"));
        resolver.Find(new ResolvedAddress("good", 3));
        Assert.That(await watched.NextAsync(), Is.EqualTo(["good:3"]));
    }

    [Test]
    public async Task A_resolver_that_throws_or_ends_is_asked_again()
    {
        var (resolver, clock) = (new ScriptedResolver { Throws = 1 }, new FakeTimeProvider());
        await using var watched = Watched.Start(clock, resolver);
        await watched.Group.FirstResult;
        Assert.That(watched.Group.Failure, Does.Contain("'test://x' ended: Bug."));
        await watched.WaitsAsync();
        clock.Advance(TimeSpan.FromSeconds(5));
        resolver.Find(new ResolvedAddress("a", 1));
        Assert.That(await watched.NextAsync(), Is.EqualTo(["a:1"]));
        resolver.End();
        await watched.WaitsAsync();
        Assert.That(watched.Group.Endpoints, Has.Length.EqualTo(1));
    }

    [Test]
    public async Task Sets_reach_a_balancer_as_they_change()
    {
        var resolver = new ScriptedResolver();
        var balancer = new BalancerKinds([]).Create("RoundRobin", new());
        var updated = Channel.CreateUnbounded<int>();
        await using var watcher = new GroupWatcher(
            "weather", AddressGroup.Parse(
                "static:a:1"), resolver, TimeProvider.System, Microsoft.Extensions.Logging.Abstractions.NullLogger.Instance,
            endpoints =>
            {
                balancer.Update(endpoints);
                updated.Writer.TryWrite(endpoints.Length);
            });
        watcher.Start();
        Assert.That(balancer.Pick(default), Is.Null);
        foreach (var port in new[] { 1, 2 })
        {
            resolver.Find(new ResolvedAddress("a", port));
            await updated.Reader.ReadAsync();
            Assert.That(balancer.Pick(default)!.Address.Port, Is.EqualTo(port));
        }
    }

    private static IEnumerable<string> Measure(GroupWatcher group)
    {
        using var meter = new Meter("discovery-test");
        DiscoveryMetrics.Observe(meter, () => [group]);
        var measured = new List<string>();
        using var listener = new MeterListener
        {
            InstrumentPublished = (instrument, listener) =>
            {
                if (instrument.Meter == meter)
                {
                    listener.EnableMeasurementEvents(instrument);
                }
            },
        };
        listener.SetMeasurementEventCallback<double>(
            (instrument, value, tags, _) => measured.Add($"{instrument.Name} {tags[0].Value} {value}"));
        listener.SetMeasurementEventCallback<int>(
            (instrument, value, tags, _) => measured.Add($"{instrument.Name} {tags[0].Value} {value}"));
        listener.Start();
        listener.RecordObservableInstruments();
        return measured.Order();
    }

    /// <summary>Finds what the test says.</summary>
    private sealed class ScriptedResolver : IResolver
    {
        private readonly Channel<ResolverResult?> _results = Channel.CreateUnbounded<ResolverResult?>();
        private readonly Channel<bool> _taken = Channel.CreateUnbounded<bool>();
        private int _written;

        public int Throws { get; set; }

        public void Find(params ResolvedAddress[] addresses) => Write(ResolverResult.Found([.. addresses]));

        public void Fail(string reason) => Write(ResolverResult.Failed(reason));

        public void End() => Write(null);

        /// <summary>Ends when all that was written has been taken.</summary>
        public async Task ReadAsync()
        {
            for (; _written > 0; _written--)
            {
                await _taken.Reader.ReadAsync().AsTask().InTime();
            }
        }

        public async IAsyncEnumerable<ResolverResult> WatchAsync([EnumeratorCancellation] CancellationToken cancellationToken)
        {
            if (Throws-- > 0)
            {
                throw new InvalidOperationException("Bug.");
            }

            await foreach (var result in _results.Reader.ReadAllAsync(cancellationToken))
            {
                if (result is null)
                {
                    yield break;
                }

                yield return result;
                _taken.Writer.TryWrite(true);
            }
        }

        private void Write(ResolverResult? result)
        {
            _written++;
            _results.Writer.TryWrite(result);
        }
    }
}
