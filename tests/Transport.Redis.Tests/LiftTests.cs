using System.Reflection;
using NUnit.Framework;
using ServiceMesh.Redis.Tests.Lift;
using StackExchange.Redis;

namespace ServiceMesh.Redis.Tests;

/// <summary>
/// An application may bring a newer client than the one that the transport was compiled against. It then works if, and
/// only if, everything that the transport names is still there: proven in the metadata of the newest one.
/// </summary>
public sealed class LiftTests : IDisposable
{
    private const string Client = "StackExchange.Redis";

    private static readonly string s_transport = typeof(RedisTransportOptions).Assembly.Location;

    private readonly Library _newest = new(Path.Combine(
        typeof(LiftTests).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>().Single(a => a.Key == "LiftedClient").Value!,
        "lib", "net10.0", $"{Client}.dll"));

    public void Dispose() => _newest.Dispose();

    [Test]
    public void Everything_that_the_transport_names_is_in_the_newest_client()
    {
        var references = Reference.ReadAll(s_transport, Client);

        Assert.That(_newest.Version.Major, Is.EqualTo(3), "this must be about the newer client");
        Assert.That(references.Where(r => r.Member is null), Has.Some.Property("Type").EqualTo("StackExchange.Redis.ISubscriber"));
        Assert.That(references.Count(r => r.Member is not null), Is.GreaterThan(20), "it uses more than that");
        Assert.That(references.Select(_newest.Complain).OfType<string>(), Is.Empty);
    }

    // What is implemented must be implemented whole, and a newer interface has more members.
    [Test]
    public void The_transport_implements_and_extends_nothing_of_the_client() =>
        Assert.That(Reference.ReadBases(s_transport, Client), Is.Empty);

    // Values of enumerations are compiled into the transport as numbers.
    [Test]
    public void Values_of_the_enumerations_that_the_transport_names_are_the_same_in_the_newest_client()
    {
        using var own = new Library(typeof(ConnectionMultiplexer).Assembly.Location);
        var enumerations = Reference.ReadAll(s_transport, Client).Where(r => r.Member is null && own.Enumeration(r.Type) is not null).Select(r => r.Type).ToArray();

        Assert.That(enumerations, Does.Contain("StackExchange.Redis.When"));
        var changed =
            from name in enumerations
            let newest = _newest.Enumeration(name)
            from value in own.Enumeration(name)!
            where newest is null || (newest.TryGetValue(value.Key, out var now) && !Equals(now, value.Value))
            select $"{name}.{value.Key}";
        Assert.That(changed, Is.Empty);
    }

    [TestCase("StackExchange.Redis.Carrier", null, null, "there is no such type")]
    [TestCase("StackExchange.Redis.PhysicalConnection", null, null, "the type is not public")]
    [TestCase("StackExchange.Redis.ConnectionMultiplexer", "Fly", "Default instance Void <0>()", "there is no such public member")]
    [TestCase("StackExchange.Redis.ConnectionMultiplexer", "Dispose", "Default instance Int32 <0>()", "there is no such public member")]
    [TestCase("StackExchange.Redis.ConnectionMultiplexer", "Dispose", "Default static Void <0>()", "there is no such public member")]
    [TestCase("StackExchange.Redis.ConnectionMultiplexer", "Dispose", "Default instance Void <0>(Boolean)", "there is no such public member")]
    [TestCase("StackExchange.Redis.ConnectionMultiplexer", "Dispose", "Default instance Void <0>()", null)]
    [TestCase("StackExchange.Redis.RedisChannel/PatternMode", null, null, null)]
    public void An_invented_reference_is_found_out(string type, string? member, string? signature, string? complaint) =>
        Assert.That(_newest.Complain(new(type, member, signature)), complaint is null ? Is.Null : Does.EndWith($": {complaint}"));

    // The one difference that is known, and the reason why it is one: the runtime does not look into base interfaces.
    [Test]
    public void A_member_that_moved_to_a_base_interface_is_missing()
    {
        using var own = new Library(typeof(ConnectionMultiplexer).Assembly.Location);
        var dispose = new Reference("StackExchange.Redis.IConnectionMultiplexer", "Dispose", "Default instance Void <0>()");

        Assert.That(own.Complain(dispose), Is.Null);
        Assert.That(_newest.Complain(dispose), Does.EndWith("there is no such public member"));
    }

    [Test]
    public void A_member_of_a_base_class_is_inherited()
    {
        using var tests = new Library(typeof(LiftTests).Assembly.Location);

        Assert.That(tests.Complain(new("ServiceMesh.Redis.Tests.LiftTests/Derived", "Inherited", "Default instance Void <0>()")), Is.Null);
        Assert.That(tests.Complain(new("ServiceMesh.Redis.Tests.LiftTests/Derived", "Hidden", "Default instance Void <0>()")), Is.Not.Null);
    }

    public class Base
    {
        public void Inherited() => Hidden();

        internal void Hidden() => GC.KeepAlive(this);
    }

    public sealed class Derived : Base;
}
