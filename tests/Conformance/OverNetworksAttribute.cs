using NUnit.Framework;
using NUnit.Framework.Interfaces;
using NUnit.Framework.Internal;

namespace ServiceMesh.Conformance;

/// <summary>
/// Runs a theme of the suite once for each network of a transport, so that a transport lists the themes once:
/// <c>public sealed class Body&lt;T&gt; : BodyTests&lt;T&gt; where T : TransportFactory, new();</c>.
/// The name of the factory is the category.
/// </summary>
/// <param name="factories">The networks, each a <see cref="TransportFactory"/>.</param>
[AttributeUsage(AttributeTargets.Class)]
public abstract class OverNetworksAttribute(params Type[] factories) : NUnitAttribute, IFixtureBuilder
{
    /// <inheritdoc/>
    public IEnumerable<TestSuite> BuildFrom(ITypeInfo typeInfo) => factories.SelectMany(factory =>
        new TestFixtureAttribute { TypeArgs = [factory], Category = factory.Name }.BuildFrom(typeInfo));
}
