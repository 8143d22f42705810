using System.Collections.Concurrent;
using NUnit.Framework;
using ServiceMesh.Support;

namespace ServiceMesh.Http.Tests;

public sealed class CircuitStressTests
{
    [TestCase(null)]
    [TestCase(1)]
    public void No_outcome_is_lost_or_counted_twice_while_the_window_moves(int? cells)
    {
        // With one cell the threads of all processors meet in it.
        const int Calls = 1_000_000;
        var window = new OutcomeWindow(window: 1_000_000_000, interval: 10_000, now: 0, cells);
        var (now, looked) = (0L, 0);
        Race(4, seed =>
        {
            for (var i = 0; i < Calls; i++)
            {
                if (window.Count(failed: (i + seed) % 4 == 0, (i & 63) == 0 ? Interlocked.Add(ref now, 64) : Volatile.Read(ref now), out _))
                {
                    Interlocked.Increment(ref looked);
                }
            }
        });
        Assert.That(window.TryRead(now, out var within), Is.True);
        Assert.That(within, Is.EqualTo(new Outcomes(3 * Calls, Calls)));
        Assert.That(looked, Is.InRange(10, 4 * Calls / 10_000));
    }

    [Test]
    public void Exactly_one_of_many_threads_gets_each_trial()
    {
        for (var seed = 0; seed < TestLength.Of(200, 5_000); seed++)
        {
            var circuit = new TestedCircuit(seed: seed).Trip().WaitForTrial();
            for (var round = 0; round < 2; round++)
            {
                var admitted = 0;
                Parallel.For(0, 8, _ => Interlocked.Add(ref admitted, circuit.Breaker.TryEnter(out var _) ? 1 : 0));
                Assert.That(admitted, Is.EqualTo(1), $"seed {seed}, round {round}");
                circuit.Pass(3);
            }
        }
    }

    [Test]
    public void One_of_the_threads_that_saw_a_due_trial_gets_it()
    {
        using var together = new MeetingClock(threads: 4);
        var circuit = new HalfOpenCircuit(null!, null!, nextTrial: 0);
        var clock = new CoarseClock(together);
        for (var round = 1; round <= 3; round++)
        {
            var taken = 0;
            together.Now = round * 10;
            Race(4, _ => Interlocked.Add(ref taken, circuit.TryTakeTrial(clock, interval: 10) ? 1 : 0));
            Assert.That((taken, circuit.NextTrial), Is.EqualTo((1, (round * 10) + 10L)), $"round {round}");
        }
    }

    [Test]
    public void The_circuit_follows_its_resource_under_calls_of_many_threads([Range(1, 4)] int seed)
    {
        var circuit = new TestedCircuit(seed: seed);
        var random = new Random(seed);
        var late = new ConcurrentQueue<(CircuitPass Pass, bool Failed)>();
        foreach (var works in Enumerable.Range(0, TestLength.Of(20, 500)).Select(_ => random.Next(2) == 0))
        {
            // Longer than the longest open window and the window of what is counted.
            for (var second = 0; second < 400; second += random.Next(1, 20))
            {
                Parallel.For(0, 4, thread =>
                {
                    for (var i = 0; i < 10 && circuit.Breaker.TryEnter(out var pass); i++)
                    {
                        switch ((thread + i) % 7)
                        {
                            case 0: break; // its caller cancels
                            case 1: late.Enqueue((pass, !works)); break; // its answer comes when the state that admitted it may be over
                            default: circuit.Breaker.Report(pass, failed: !works); break;
                        }
                    }

                    if (late.Count > 20 && late.TryDequeue(out var answer))
                    {
                        circuit.Breaker.Report(answer.Pass, answer.Failed);
                    }
                });
                circuit.Clock.Advance(TimeSpan.FromSeconds(random.Next(1, 4)));
            }

            circuit.Pass(works ? 300 : 0);
            if (works && circuit.Breaker.TryEnter(out var last))
            {
                circuit.Breaker.Report(last, failed: false);
            }

            Assert.That(
                circuit.Breaker.State, works ? Is.EqualTo(CircuitState.Closed) : Is.Not.EqualTo(CircuitState.Closed), $"seed {seed}");
        }

        Assert.That(circuit.Changes.Zip(circuit.Changes.Skip(1)).Where(pair => pair.First.To != pair.Second.From), Is.Empty);
    }

    private static void Race(int threads, Action<int> run)
    {
        using var start = new Barrier(threads);
        Thread[] running = [.. Enumerable.Range(0, threads).Select(i => new Thread(() =>
        {
            start.SignalAndWait();
            run(i);
        }))];
        Array.ForEach(running, t => t.Start());
        Array.ForEach(running, t => t.Join());
    }

    // A clock at which so many threads meet: no thread receives the time before all have asked.
    private sealed class MeetingClock(int threads) : TimeProvider, IDisposable
    {
        private readonly Barrier _all = new(threads);

        public long Now { get; set; }

        public override long GetTimestamp()
        {
            _all.SignalAndWait();
            return Now;
        }

        public void Dispose() => _all.Dispose();
    }
}
