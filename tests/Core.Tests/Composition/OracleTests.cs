using Microsoft.Extensions.DependencyInjection;
using NUnit.Framework;
using ServiceMesh.Conformance.Compositions;
using ServiceMesh.Support;

namespace ServiceMesh.Core.Tests;

/// <summary>Random compositions of all forms do what an interpreter of the document says, also when time is up in the middle.</summary>
public sealed class OracleTests
{
    [Test]
    public async Task Random_compositions_do_what_the_document_says()
    {
        var clock = new JumpClock();
        var stage = new Stage { Tick = clock.Jump };
        await using var node = await TestNode.StartAsync(
            mesh =>
            {
                mesh.AddInMemoryTransport();
                for (var i = 0; i < Stage.Topics; i++)
                {
                    var number = i;
                    mesh.AddHandler(Stage.Handled[number], (x, context) => stage.Handle(number, x, context));
                }
            },
            [("ErrorPolicy", "Ignore")],
            services => services.AddSingleton<TimeProvider>(clock));
        var trial = new Trial(node.Bus, stage, interrupts: true);
        for (var seed = 0; seed < TestLength.Of(1_500, 20_000); seed++)
        {
            await trial.RunAsync(seed);
        }
    }
}
