using NUnit.Framework;

namespace ServiceMesh.Core.Tests;

public sealed class HandlerGateTests
{
    [Test]
    public void Messages_run_wait_or_are_refused_by_the_limits()
    {
        var gate = new HandlerGate(maxConcurrency: 2, maxQueued: 1);
        Assert.That(gate.TryEnter(out _)!.Turn.IsCompleted, Is.True);
        Assert.That(gate.TryEnter(out _)!.Turn.IsCompleted, Is.True);
        Assert.That(gate.IsFull, Is.False);
        Assert.That(gate.TryEnter(out _)!.Turn.IsCompleted, Is.False);
        Assert.That(gate.IsFull, Is.True);
        Assert.That(gate.TryEnter(out var closed), Is.Null);
        Assert.That(closed, Is.False);
        Assert.That((gate.Running, gate.Waiting), Is.EqualTo((2, 1)));
    }

    [Test]
    public void A_gate_without_a_queue_is_full_when_all_places_are_taken()
    {
        var gate = new HandlerGate(1, 0);
        gate.TryEnter(out _);
        Assert.That(gate.IsFull, Is.True);
        Assert.That(gate.TryEnter(out _), Is.Null);
        gate.Leave();
        Assert.That(gate.IsFull, Is.False);
        Assert.That(gate.TryEnter(out _), Is.Not.Null);
    }

    [Test]
    public void Waiting_messages_are_called_in_order_of_arrival()
    {
        var gate = new HandlerGate(1, 10);
        gate.TryEnter(out _);
        HandlerGate.Ticket[] waiting = [.. Enumerable.Range(0, 5).Select(_ => gate.TryEnter(out var _)!)];
        for (var i = 0; i < waiting.Length; i++)
        {
            gate.Leave();
            Assert.That(waiting.Select(w => w.Turn.IsCompleted), Is.EqualTo(waiting.Select((_, at) => at <= i)));
            Assert.That(gate.Running, Is.EqualTo(1), "the next message has taken the place");
        }
    }

    [Test]
    public void A_message_that_stops_waiting_frees_its_place_and_is_skipped()
    {
        var gate = new HandlerGate(1, 2);
        gate.TryEnter(out _);
        var first = gate.TryEnter(out _)!;
        var second = gate.TryEnter(out _)!;
        Assert.That(gate.TryAbandon(first), Is.True);
        Assert.That(gate.TryAbandon(first), Is.False, "only once");
        var third = gate.TryEnter(out _)!;
        gate.Leave();
        Assert.That(first.Turn.IsCompleted, Is.False);
        Assert.That(second.Turn.IsCompleted, Is.True);
        Assert.That(third.Turn.IsCompleted, Is.False);
    }

    [Test]
    public void A_message_that_was_called_can_no_longer_stop_waiting()
    {
        var gate = new HandlerGate(1, 1);
        var running = gate.TryEnter(out _)!;
        var waiting = gate.TryEnter(out _)!;
        gate.Leave();
        Assert.That(gate.TryAbandon(waiting), Is.False);
        Assert.That(gate.TryAbandon(running), Is.False);
        Assert.That(gate.Running, Is.EqualTo(1));
    }

    [Test]
    public async Task A_closed_gate_admits_no_message_and_waits_until_it_is_empty()
    {
        var gate = new HandlerGate(1, 2);
        gate.TryEnter(out _);
        gate.TryEnter(out _);
        var givesUp = gate.TryEnter(out _)!;
        var empty = gate.CloseAsync();
        Assert.That(gate.TryEnter(out var closed), Is.Null);
        Assert.That(closed, Is.True);
        gate.Leave();
        Assert.That(empty.IsCompleted, Is.False);
        Assert.That(gate.TryAbandon(givesUp), Is.True);
        Assert.That(empty.IsCompleted, Is.False);
        gate.Leave();
        await empty.Soon();
    }

    [Test]
    public async Task A_gate_that_is_empty_closes_at_once_and_may_be_closed_again()
    {
        var gate = new HandlerGate(1, 1);
        await gate.CloseAsync().Soon();
        await gate.CloseAsync().Soon();
    }

    [TestCase(1, 0)]
    [TestCase(1, 5)]
    [TestCase(3, 4)]
    [TestCase(8, 100)]
    public async Task The_limits_hold_under_concurrent_traffic_and_every_message_is_counted(int maxConcurrency, int maxQueued)
    {
        var gate = new HandlerGate(maxConcurrency, maxQueued);
        var (running, most, ran, refused, abandoned) = (0, 0, 0, 0, 0);
        const int Threads = 8, Rounds = 2000;
        await Task.WhenAll(Enumerable.Range(0, Threads).Select(seed => Task.Run(async () =>
        {
            var random = new Random(seed);
            for (var i = 0; i < Rounds; i++)
            {
                if (gate.TryEnter(out _) is not { } ticket)
                {
                    Interlocked.Increment(ref refused);
                    continue;
                }

                if (random.Next(4) == 0 && gate.TryAbandon(ticket))
                {
                    Interlocked.Increment(ref abandoned);
                    continue;
                }

                await ticket.Turn;
                var now = Interlocked.Increment(ref running);
                InterlockedMax(ref most, now);
                if (random.Next(3) == 0)
                {
                    await Task.Yield();
                }

                Interlocked.Decrement(ref running);
                Interlocked.Increment(ref ran);
                gate.Leave();
            }
        }))).Soon();
        Assert.That(most, Is.LessThanOrEqualTo(maxConcurrency).And.GreaterThan(0));
        Assert.That(ran + refused + abandoned, Is.EqualTo(Threads * Rounds));
        Assert.That((gate.Running, gate.Waiting), Is.EqualTo((0, 0)));
        await gate.CloseAsync().Soon();
    }

    private static void InterlockedMax(ref int target, int value)
    {
        for (var seen = Volatile.Read(ref target); value > seen; seen = Volatile.Read(ref target))
        {
            Interlocked.CompareExchange(ref target, value, seen);
        }
    }
}
