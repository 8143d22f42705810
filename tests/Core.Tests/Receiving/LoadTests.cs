using NUnit.Framework;

namespace ServiceMesh.Core.Tests;

public sealed class LoadTests
{
    [Test]
    public void A_handler_is_idle_at_0_and_full_at_1_and_a_queue_is_more()
    {
        var gate = new HandlerGate(maxConcurrency: 2, maxQueued: 3);
        var loads = new List<double> { gate.Load };
        for (var i = 0; i < 5; i++)
        {
            gate.TryEnter(out _);
            loads.Add(gate.Load);
        }

        gate.Leave();
        loads.Add(gate.Load);

        Assert.That(loads, Is.EqualTo([0, 0.5, 1, 1.5, 2, 2.5, 2]));
    }
}
