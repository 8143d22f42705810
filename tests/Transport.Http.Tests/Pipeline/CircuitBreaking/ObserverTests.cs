using System.Collections.Concurrent;
using NUnit.Framework;

namespace ServiceMesh.Http.Tests;

public sealed class ObserverTests
{
    [Test]
    public void An_exception_of_an_observer_stops_neither_call_nor_observers()
    {
        var circuit = new TestedCircuit();
        var told = 0;
        circuit.Breaker.Changed += (_, _) => throw new InvalidOperationException("an observer");
        circuit.Breaker.Changed += (_, _) => told++;
        circuit.Trip();
        Assert.That((told, circuit.Breaker.State), Is.EqualTo((1, CircuitState.Open)));
        circuit.Breaker.Close();
        Assert.That(told, Is.EqualTo(2));
    }

    [Test]
    public void An_observer_may_change_the_circuit_and_all_are_notified_in_order()
    {
        var circuit = new TestedCircuit();
        var heard = new List<CircuitState>();
        circuit.Breaker.Changed += (breaker, change) =>
        {
            if (change.To == CircuitState.Open)
            {
                ((CircuitBreaker)breaker!).Close();
            }
        };
        circuit.Breaker.Changed += (_, change) => heard.Add(change.To);
        circuit.Trip();
        Assert.That(heard, Is.EqualTo([CircuitState.Open, CircuitState.Closed]));
    }

    [Test]
    public void An_observer_may_wait_for_another_thread_that_uses_the_breaker()
    {
        // With a lock held around the observer this would never end.
        var circuit = new TestedCircuit();
        var ended = false;
        circuit.Breaker.Changed += (_, change) =>
        {
            if (change.To == CircuitState.Open)
            {
                ended = Task.Run(() =>
                {
                    circuit.Breaker.Close();
                    circuit.Call(failed: false);
                }).Wait(TimeSpan.FromSeconds(10));
            }
        };
        circuit.Breaker.Open();
        Assert.That((ended, circuit.Breaker.State), Is.EqualTo((true, CircuitState.Closed)));
    }

    [Test]
    public void Changes_by_many_threads_are_notified_one_at_a_time_in_order()
    {
        var circuit = new TestedCircuit(s => s.TrialRequestInterval = TimeSpan.FromMilliseconds(1));
        var heard = new ConcurrentQueue<CircuitChange>();
        var (telling, overlaps) = (0, 0);
        circuit.Breaker.Changed += (_, change) =>
        {
            overlaps += Interlocked.Increment(ref telling) == 1 ? 0 : 1;
            heard.Enqueue(change);
            Interlocked.Decrement(ref telling);
        };
        Parallel.For(0, 8, seed =>
        {
            var random = new Random(seed);
            for (var i = 0; i < 5_000; i++)
            {
                switch (random.Next(4))
                {
                    case 0: circuit.Breaker.Open(TimeSpan.FromMilliseconds(1)); break;
                    case 1: circuit.Breaker.Close(); break;
                    case 2: circuit.Clock.Advance(TimeSpan.FromMilliseconds(1)); break;
                    case 3 when circuit.Breaker.TryEnter(out var pass): circuit.Breaker.Report(pass, random.Next(2) == 0); break;
                }
            }
        });
        var all = heard.ToArray();
        Assert.That(overlaps, Is.Zero);
        Assert.That(all, Has.Length.GreaterThan(1000));
        Assert.That(all.Zip(all.Skip(1)).Where(pair => pair.First.To != pair.Second.From), Is.Empty);
        Assert.That(all[^1].To, Is.EqualTo(circuit.Breaker.State));
    }
}
