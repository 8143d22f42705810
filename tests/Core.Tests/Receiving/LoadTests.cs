using NUnit.Framework;

namespace ServiceMesh.Core.Tests;

public sealed class LoadTests
{
    [Test]
    public void The_load_of_a_handler_is_0_when_idle_1_when_full_and_more_with_a_queue()
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
