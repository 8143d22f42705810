using System.Collections.Concurrent;
using System.Text;
using Microsoft.Extensions.DependencyInjection;
using NUnit.Framework;
using ServiceMesh.Support;

namespace ServiceMesh.Redis.Tests.Groups;

/// <summary>One member of a group with few places, whose claims end when the test says so.</summary>
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
public sealed class GroupClaimTests
{
    private readonly ConcurrentDictionary<long, TaskCompletionSource<bool>> _claims = new();
    private readonly ConcurrentQueue<long> _claimed = new();
    private readonly ConcurrentQueue<int> _handled = new();
    private TestNode? _node;
    private GroupClaim _groupClaim = null!;

    [TearDown]
    public async Task StopAsync() => await _node!.DisposeAsync();

    private async Task StartAsync(int places = 1)
    {
        var transport = new Catcher();
        _node = await TestNode.StartAsync(
            mesh => mesh.AddTransport(new("Catcher", [], _ => transport)).AddHandler(
                new RequestTopic<int, int>("work"),
                (input, _) =>
                {
                    _handled.Enqueue(input);
                    return input;
                },
                options => (options.Ordered, options.MaxQueued) = (true, places - 1)),
            [("Transport", "Catcher"), ("DrainTimeout", "00:00:00")]);
        _groupClaim = new(transport.Caught.Single(s => s.Pattern.ToString() == "work"), (message, _) =>
        {
            _claimed.Enqueue(message.Id.Number);
            return Claim(message.Id.Number).Task;
        });
    }

    [Test]
    public async Task A_place_that_comes_back_goes_to_the_one_that_waits_for_it()
    {
        await StartAsync();
        var first = OfferAsync(1);
        var second = OfferAsync(2);
        Assert.That(second.IsCompleted, Is.False, "the first may still lose");

        Claim(1).SetResult(false);
        Claim(2).SetResult(true);

        Assert.That(await first, Is.Null, "another member has it");
        Assert.That((await second)?.IsAccepted, Is.True);
    }

    [Test]
    public async Task A_node_that_fills_its_last_place_refuses_the_message_that_waited_for_it()
    {
        await StartAsync();
        var first = OfferAsync(1);
        var second = OfferAsync(2);

        Claim(1).SetResult(true);

        Assert.That((await first)?.IsAccepted, Is.True);
        Assert.That((await second)?.Refusal?.Status, Is.EqualTo(StatusCode.Overloaded));
        Assert.That(_claimed, Is.EqualTo([1]), "it claims only what it can run");
    }

    [Test]
    public async Task A_message_is_refused_when_fewer_places_may_come_back_than_messages_wait()
    {
        await StartAsync();
        var first = OfferAsync(1);
        var second = OfferAsync(2);

        var third = OfferAsync(3);

        Assert.That(third.IsCompleted, Is.True);
        Assert.That((await third)?.Refusal?.Status, Is.EqualTo(StatusCode.Overloaded));
        Claim(1).SetResult(false);
        Claim(2).SetResult(false);
        Assert.That((await first, await second), Is.EqualTo(((Delivery?)null, (Delivery?)null)));
    }

    [Test]
    public async Task A_claim_that_fails_gives_its_place_back()
    {
        await StartAsync();
        var first = ClaimAsync(1);
        Claim(1).SetException(new TimeoutException("gone"));
        var outcome = await first;
        Assert.That(outcome.Delivery, Is.Null);
        Assert.That(outcome.Refusal?.Status, Is.EqualTo(StatusCode.Unavailable));
        Assert.That(outcome.Refusal?.NotProcessed, Is.True);
        Assert.That(outcome.Refusal?.Error, Does.Contain("gone"));

        Claim(2).SetResult(true);

        Assert.That((await OfferAsync(2))?.IsAccepted, Is.True);
    }

    [Test]
    public async Task Waiting_messages_get_their_turn_in_the_order_of_arrival()
    {
        await StartAsync(places: 20);
        var losing = Enumerable.Range(0, 20).Select(i => OfferAsync(i)).ToArray();
        var waiting = Enumerable.Range(20, 20).Select(i => OfferAsync(i)).ToArray();

        for (var i = 0; i < 20; i++)
        {
            Claim(i).SetResult(false);
            Claim(20 + i).SetResult(true);
        }

        Assert.That(await Task.WhenAll(losing), Is.All.Null);
        var won = await Task.WhenAll(waiting);
        Assert.That(won.Select(d => d?.IsAccepted), Is.All.True);
        await Task.WhenAll(won.Reverse().Select(d => d!.RunAsync().AsTask()));
        Assert.That(_handled, Is.EqualTo(Enumerable.Range(20, 20)), "the places were taken in this order");
    }

    private async Task<Delivery?> OfferAsync(long number) => (await ClaimAsync(number)).Delivery;

    private ValueTask<ClaimOutcome> ClaimAsync(long number) => _groupClaim.ClaimAsync(new()
    {
        Id = new("caller", number),
        Kind = MessageKind.Request,
        Topic = Topic.Parse("work"),
        ContentType = "application/json",
        Body = Encoding.UTF8.GetBytes($"{number}"),
    });

    private TaskCompletionSource<bool> Claim(long number) =>
        _claims.GetOrAdd(number, _ => new(TaskCreationOptions.RunContinuationsAsynchronously));

    /// <summary>Moves nothing, and shows what it was given to deliver to.</summary>
    private sealed class Catcher : ITransport
    {
        public List<Subscription> Caught { get; } = [];

        public TransportCapabilities Capabilities { get; } = new() { System = "catcher", Features = TransportFeatures.OrderedDelivery };

        public Task StartAsync(TransportContext context, CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public ValueTask<ReplyMessage> RequestAsync(Message request, CancellationToken cancellationToken) =>
            new(ReplyMessage.NoHandler(request.Topic));

        public ValueTask<SignalResult> SignalAsync(Message signal, CancellationToken cancellationToken) => new(new SignalResult(0));

        public Task<IReadOnlyList<NodeInfo>> ListNodesAsync(CancellationToken cancellationToken) =>
            Task.FromResult<IReadOnlyList<NodeInfo>>([]);

        public Task SubscribeAsync(IReadOnlyCollection<Subscription> subscriptions, CancellationToken cancellationToken)
        {
            Caught.AddRange(subscriptions);
            return Task.CompletedTask;
        }

        public Task UnsubscribeAsync(Subscription subscription, CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
