using System.Diagnostics.Metrics;

namespace ServiceMesh.Faults.Tests;

/// <summary>
/// Callers that each send one request after the other until they are stopped, plain and repeatable ones mixed, and record them
/// in a ledger. The same seed makes the same choices of each caller.
/// </summary>
internal sealed class ModelLoad : IDisposable
{
    public const int Callers = 64;

    // A node without a connection refuses at once, and a million such refusals show no more than a few.
    private static readonly TimeSpan s_pauseAfterFailure = TimeSpan.FromMilliseconds(30);
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);

    private readonly IServiceBus _bus;
    private readonly Ledger _ledger;
    private readonly RequestTopic<int, int> _plain;
    private readonly RequestTopic<int, int> _repeatable;
    private readonly TimeSpan[] _timeouts;
    private readonly MeterListener _settled;
    private readonly Task _all;
    private volatile bool _stopping;
    private int _succeeded;

    private ModelLoad(IServiceBus bus, Ledger ledger, string topic, int seed, TimeSpan[] timeouts)
    {
        (_bus, _ledger, _timeouts) = (bus, ledger, timeouts);
        (_plain, _repeatable) = (new(topic), new(topic) { IsIdempotent = true });
        _settled = CountSettled(topic, ledger);
        _all = Task.WhenAll(Enumerable.Range(0, Callers).Select(caller => Task.Run(() => CallAsync(new((seed * Callers) + caller)))));
    }

    public int Succeeded => Volatile.Read(ref _succeeded);

    /// <param name="bus">The node that calls.</param>
    /// <param name="ledger">Where all requests are recorded.</param>
    /// <param name="topic">The topic of this load alone, because the bus counts ended requests by topic.</param>
    /// <param name="seed">Determines the choices of the callers.</param>
    /// <param name="timeouts">The timeouts of requests; each request has one of them.</param>
    public static ModelLoad Start(IServiceBus bus, Ledger ledger, string topic, int seed, params TimeSpan[] timeouts) =>
        new(bus, ledger, topic, seed, timeouts);

    /// <summary>Completes when all requests have ended, or after a time limit.</summary>
    public Task StopAsync()
    {
        _stopping = true;
        return _all.WaitAsync(s_patience);
    }

    public void Dispose() => _settled.Dispose();

    private async Task CallAsync(Random random)
    {
        while (!_stopping)
        {
            var isRepeatable = random.Next(2) == 0;
            var timeout = _timeouts[random.Next(_timeouts.Length)];
            var number = _ledger.Begin(isRepeatable, timeout);
            var reply = await _bus.TryRequestAsync(isRepeatable ? _repeatable : _plain, number, new RequestOptions { Timeout = timeout });
            _ledger.Returned(number, reply);
            if (reply.IsSuccess)
            {
                Interlocked.Increment(ref _succeeded);
            }

            // A machine at its limit would add faults of its own.
            await Task.Delay(reply.IsSuccess ? TimeSpan.FromMilliseconds(random.Next(5, 30)) : s_pauseAfterFailure);
        }
    }

    // The bus counts a request where it settles it.
    private static MeterListener CountSettled(string topic, Ledger ledger)
    {
        var listener = new MeterListener
        {
            InstrumentPublished = (instrument, self) =>
            {
                if (instrument.Name == "messaging.client.sent.messages")
                {
                    self.EnableMeasurementEvents(instrument);
                }
            },
        };
        listener.SetMeasurementEventCallback<long>((_, _, tags, _) =>
        {
            foreach (var tag in tags)
            {
                if (tag.Key == "messaging.destination.name" && tag.Value as string == topic)
                {
                    ledger.Settled();
                }
            }
        });
        listener.Start();
        return listener;
    }
}
