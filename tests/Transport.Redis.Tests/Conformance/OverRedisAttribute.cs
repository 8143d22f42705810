using NUnit.Framework;
using NUnit.Framework.Interfaces;
using NUnit.Framework.Internal;

namespace ServiceMesh.Redis.Tests;

/// <summary>Makes one fixture of a theme of the suite for each of the Redis networks.</summary>
[AttributeUsage(AttributeTargets.Class)]
public sealed class OverRedisAttribute : NUnitAttribute, IFixtureBuilder
{
    private static readonly Type[] s_networks = [typeof(NativeFactory), typeof(NativeWithMessagePackFactory), typeof(GilmourFactory), typeof(ClusterFactory)];

    public IEnumerable<TestSuite> BuildFrom(ITypeInfo typeInfo) => s_networks.SelectMany(network =>
        new TestFixtureAttribute { TypeArgs = [network], Category = network.Name }.BuildFrom(typeInfo));
}
