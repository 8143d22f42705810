using Microsoft.Extensions.DependencyInjection;
using ServiceMesh.Conformance;
using ServiceMesh.MessagePack;
using ServiceMesh.Support;

namespace ServiceMesh.Redis.Tests;

/// <summary>What all Redis networks have in common.</summary>
public abstract class RedisFactory : TransportFactory
{
    public override TransportCapabilities Capabilities { get; } = new()
    {
        System = "redis",
        Features = TransportFeatures.Patterns | TransportFeatures.SignalGroups | TransportFeatures.OrderedDelivery
            | TransportFeatures.Cancellation | TransportFeatures.RequestsReachEveryGroup,
        ReceiverCount = ReceiverCount.Deliveries,
        ReleasesTokens = true,
        MaxBodyBytes = 500 * 1024 * 1024,
    };

    public override void AddTransport(IServiceMeshBuilder mesh) => mesh.AddRedisTransport();
}

/// <summary>A server of its own for each test, and the native wire.</summary>
public class NativeFactory : RedisFactory
{
    protected RedisServer Server { get; private set; } = null!;

    protected virtual string Wire => "Native";

    public override async Task StartAsync() => Server = await RedisServer.StartAsync();

    public override async Task StopAsync() => await Server.DisposeAsync();

    public override IEnumerable<(string Key, string Value)> SettingsOf(int node) =>
        [("Transport", "Redis"), ("Redis:Configuration", Server.Address), ("Redis:Wire", Wire)];
}

/// <summary>The native wire, with keys.</summary>
public sealed class SealedFactory : NativeFactory
{
    private readonly string _key = Convert.ToBase64String(System.Security.Cryptography.RandomNumberGenerator.GetBytes(32));

    public override IEnumerable<(string Key, string Value)> SettingsOf(int node) => [.. base.SettingsOf(node), ("Redis:Keys:0", _key)];
}

/// <summary>The native wire, with bodies as MessagePack.</summary>
public sealed class NativeWithMessagePackFactory : NativeFactory
{
    public override IMessageSerializer Bodies { get; } = new MessagePackMessageSerializer();
}

/// <summary>A server of its own for each test, and the wire of the Go and Ruby implementations.</summary>
public sealed class GilmourFactory : NativeFactory
{
    // Groups may have the names that foreign services give them.
    public override TransportCapabilities Capabilities => base.Capabilities with { AllowsAnyGroupName = true };

    public override bool CarriesAnyBody => false;

    protected override string Wire => "Gilmour";
}

/// <summary>Behind Sentinels, which serve the whole run.</summary>
public sealed class SentinelFactory : RedisFactory
{
    private readonly string _prefix = $"test{Guid.NewGuid():N}";
    private string _configuration = "";

    public override async Task StartAsync() => _configuration = (await SharedServers.SentinelsAsync()).Configuration;

    public override IEnumerable<(string Key, string Value)> SettingsOf(int node) =>
        [("Transport", "Redis"), ("Redis:Configuration", _configuration), ("Redis:KeyPrefix", _prefix)];
}

/// <summary>A user who has the commands of the line in docs/redis.md and no others, on a server of its own.</summary>
public sealed class DocumentedUserFactory : NativeFactory
{
    public override async Task StartAsync()
    {
        await base.StartAsync();
        await Server.CommandAsync(DocumentedUser.Line("Native"));
        await Server.CommandAsync("ACL", "SETUSER", "mesh", "allchannels"); // each pattern of a handler needs a right of its own
    }

    public override IEnumerable<(string Key, string Value)> SettingsOf(int node) =>
        base.SettingsOf(node).Select(s => s.Key == "Redis:Configuration" ? (s.Key, $"{s.Value},user=mesh,password=PASSWORD") : s);
}

/// <summary>Garnet, which is not Redis: one serves the whole run, and each test has a prefix of its own.</summary>
public sealed class GarnetFactory : RedisFactory
{
    private readonly string _prefix = $"test{Guid.NewGuid():N}";
    private string _address = "";

    public override async Task StartAsync() => _address = (await SharedServers.GarnetAsync()).Address;

    public override IEnumerable<(string Key, string Value)> SettingsOf(int node) =>
        [("Transport", "Redis"), ("Redis:Configuration", _address), ("Redis:KeyPrefix", _prefix)];
}

/// <summary>
/// The wire of Gilmour where Redis is not a server of the test's own. Its names are fixed, so the server is emptied before each test; a
/// cluster, whose servers pass signals on after their publisher has gone, cannot be shared in this way.
/// </summary>
public abstract class SharedGilmourFactory : RedisFactory
{
    private string _configuration = "";

    public override TransportCapabilities Capabilities => base.Capabilities with { AllowsAnyGroupName = true };

    public override bool CarriesAnyBody => false;

    public override async Task StartAsync() => _configuration = await EmptyAsync();

    public override IEnumerable<(string Key, string Value)> SettingsOf(int node) =>
        [("Transport", "Redis"), ("Redis:Configuration", _configuration), ("Redis:Wire", "Gilmour")];

    /// <summary>Empties the server. Returns how to connect to it.</summary>
    protected abstract Task<string> EmptyAsync();
}

/// <summary>The wire of Gilmour on Garnet.</summary>
public sealed class GilmourOnGarnetFactory : SharedGilmourFactory
{
    protected override async Task<string> EmptyAsync()
    {
        var garnet = await SharedServers.GarnetAsync();
        using var client = await RedisClient.ConnectAsync(garnet.Port);
        await client.SendAsync("FLUSHALL");
        return garnet.Address;
    }
}

/// <summary>The wire of Gilmour behind Sentinels.</summary>
public sealed class GilmourBehindSentinelsFactory : SharedGilmourFactory
{
    protected override async Task<string> EmptyAsync()
    {
        var redis = await SharedServers.SentinelsAsync();
        await redis.Master.CommandAsync("FLUSHALL");
        return redis.Configuration;
    }
}

/// <summary>
/// A real Redis Cluster. One serves the whole run; each test has channels and keys of its own by their prefix, so a
/// test does not see what another left behind.
/// </summary>
public sealed class ClusterFactory : RedisFactory
{
    private readonly string _prefix = $"test{Guid.NewGuid():N}";
    private RedisCluster _cluster = null!;

    // No server counts the connections of the others.
    public override TransportCapabilities CapabilitiesHere => Capabilities with { ReceiverCount = ReceiverCount.Unknown };

    public override async Task StartAsync() => _cluster = await SharedServers.ClusterAsync();

    public override Task StopAsync() => _cluster.FlushAsync();

    public override IEnumerable<(string Key, string Value)> SettingsOf(int node) =>
        [("Transport", "Redis"), ("Redis:Configuration", _cluster.Configuration), ("Redis:KeyPrefix", _prefix)];
}
