using Contracts;
using Microsoft.Extensions.DependencyInjection;
using NAME_OF_SERVICE;
using NUnit.Framework;
using ServiceMesh;
using ServiceMesh.Testing;

namespace Mesh.Tests1;

public sealed class GreetHandlerTests
{
    [Test]
    public async Task A_name_is_greeted_and_the_greeting_is_told()
    {
        await using var mesh = await MeshTestHost.StartAsync(bus => bus.AddHandler<GreetHandler>(GreetingTopics.Greet));

        var greeting = await mesh.Bus.RequestAsync(GreetingTopics.Greet, "Asha");

        Assert.That(greeting.Text, Is.EqualTo("Hello, Asha!"));
        mesh.Sent.AssertOne(GreetingTopics.Greeted, told => told == greeting);
    }

    [Test]
    public void A_long_name_is_refused() => Assert.That(
        () => new GreetHandler().HandleAsync(new string('x', 101), new TestHandlerContext(GreetingTopics.Greet.Topic)),
        Throws.TypeOf<ReplyException>().With.Property(nameof(ReplyException.Status)).EqualTo(StatusCode.BadRequest));
}
