using Microsoft.Extensions.DependencyInjection;
using NUnit.Framework;

namespace ServiceMesh.Conformance;

/// <summary>
/// The suite tests the capabilities that a factory declares. These tests check that the declaration is true and that a
/// transport inherits every theme of the suite.
/// </summary>
public abstract class CapabilityTests<TFactory> : ConformanceFixture<TFactory>
    where TFactory : TransportFactory, new()
{
    [Test]
    public async Task The_transport_declares_what_its_factory_promises()
    {
        var node = await StartAsync();

        var chosen = Factory.SettingsOf(0).Where(s => s.Key == "Transport").Select(s => s.Value).FirstOrDefault("InMemory");
        var declared = node.Services.GetKeyedServices<TransportRegistration>("")
            .Single(t => t.Name == chosen).Create(node.Services).Capabilities;

        Assert.That(declared, Is.EqualTo(Factory.Capabilities));
    }

    [Test]
    public async Task A_required_feature_that_is_missing_fails_at_start()
    {
        foreach (var feature in Enum.GetValues<TransportFeatures>().Where(f => f != TransportFeatures.None))
        {
            if (Can(feature))
            {
                await StartAsync(mesh => mesh.Require(feature));
            }
            else
            {
                var refusal = await Assert.ThrowsAsync<InvalidOperationException>(() => StartAsync(mesh => mesh.Require(feature)));
                Assert.That(refusal?.Message, Does.Contain(feature.ToString()));
            }
        }
    }

    [Test]
    public async Task A_policy_that_the_transport_cannot_evaluate_fails_at_start()
    {
        Assume.That(Can(TransportFeatures.Authorization), Is.False);

        var refusal = await Assert.ThrowsAsync<InvalidOperationException>(() => StartAsync(mesh => mesh.AddHandler(
            new RequestTopic<string, string>("test.staff"), (input, _) => input, handler => handler.RequireAuthorization("staff"))));

        Assert.That(refusal?.Message, Does.Contain("'test.staff'").And.Contain(nameof(TransportFeatures.Authorization)));
    }

    [Test]
    public void Every_theme_of_the_suite_is_inherited()
    {
        var themes = typeof(CapabilityTests<>).Assembly.GetTypes()
            .Where(type => type.IsAbstract
                && type.BaseType is { IsGenericType: true } parent
                && parent.GetGenericTypeDefinition() == typeof(ConformanceFixture<>));
        var inherited = GetType().Assembly.GetTypes()
            .Select(type => type.BaseType)
            // A theme may also be inherited once with an open type parameter.
            .Where(parent => parent is { IsGenericType: true }
                && (parent.GenericTypeArguments[0] == typeof(TFactory) || parent.GenericTypeArguments[0].IsGenericParameter))
            .Select(parent => parent!.GetGenericTypeDefinition());

        Assert.That(
            themes.Except(inherited).Select(type => type.Name), Is.Empty, "A transport that leaves a theme out has not passed the suite.");
    }
}
