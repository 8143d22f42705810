using System.Diagnostics.Metrics;
using Microsoft.Extensions.DependencyInjection;
using ServiceMesh.Conformance;
using ServiceMesh.Support;

namespace ServiceMesh.Redis.Tests.Faults;

/// <summary>A node over Redis whose transport a test may look into.</summary>
internal sealed class RedisNode : IAsyncDisposable
{
    private readonly TestNode _node;
    private readonly RedisTransport _transport;

    private RedisNode(TestNode node, RedisTransport transport)
    {
        _node = node;
        _transport = transport;
    }

    public IServiceBus Bus => _node.Bus;

    public string Id => Bus.DescribeNode().Id;

    public RecordedLog Log => _node.Log;

    /// <summary>Records from now on. Dispose it.</summary>
    public RecordedMetrics Record() => new(_node.Services);

    /// <summary>True for an instrument of this node's host.</summary>
    public bool IsOwn(Instrument instrument) =>
        ReferenceEquals(instrument.Meter.Scope, _node.Services.GetRequiredService<IMeterFactory>());

    public RedisGaps Gaps => _node.Services.GetRequiredService<RedisGaps>();

    public TransportHealth Health => _transport.Health;

    /// <summary>How many requests of this node are in the table of those that wait for a reply.</summary>
    public int Waiting => _transport.Waiting;

    /// <param name="redis">As <c>Redis:Configuration</c> takes it.</param>
    /// <param name="configure">Adds handlers.</param>
    /// <param name="settings">Keys below <c>ServiceMesh</c>; the last one counts.</param>
    public static Task<RedisNode> StartAsync(
        string redis, Action<IServiceMeshBuilder>? configure = null, params (string Key, string Value)[] settings) =>
        StartAsync(redis, _ => { }, configure, settings);

    /// <param name="redis">As <c>Redis:Configuration</c> takes it.</param>
    /// <param name="options">What cannot be said in the configuration.</param>
    /// <param name="configure">Adds handlers.</param>
    /// <param name="settings">Keys below <c>ServiceMesh</c>; the last one counts.</param>
    public static async Task<RedisNode> StartAsync(
        string redis, Action<RedisTransportOptions> options,
        Action<IServiceMeshBuilder>? configure = null, params (string Key, string Value)[] settings)
    {
        RedisTransport? transport = null;
        var all = new Dictionary<string, string>
        {
            ["Transport"] = "Redis",
            ["Redis:Configuration"] = redis,
            ["Redis:ConnectTimeout"] = "00:00:02", // the client's pause between two attempts, too
            ["Request:Timeout"] = "00:00:05",
            ["DrainTimeout"] = "00:00:02",
            ["ErrorPolicy"] = "Ignore",
        };
        foreach (var (key, value) in settings)
        {
            all[key] = value;
        }

        var node = await TestNode.StartAsync(
            mesh =>
            {
                Keep(mesh.AddRedisTransport(options), made => transport = made);
                configure?.Invoke(mesh);
            },
            all.Select(setting => (setting.Key, setting.Value))).InTime();
        return new(node, transport!);
    }

    public IErrorQueue ErrorQueue => _node.ErrorQueue;

    /// <summary>Ends one of the node's two connections. The client names them after the node; the one that listens is marked P.</summary>
    public async Task KillConnectionAsync(RedisServer redis, bool listening)
    {
        var connections = ((string)(await redis.CommandAsync("CLIENT", "LIST"))!).Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Select(line => line.Split(' ').Select(word => word.Split('=', 2)).ToDictionary(word => word[0], word => word[1]));
        var connection = connections.Single(c => c["name"] == Id && c["flags"].Contains('P') == listening);
        await redis.CommandAsync("CLIENT", "KILL", "ID", connection["id"]);
    }

    public async ValueTask DisposeAsync() => await _node.DisposeAsync().AsTask().InTime();

    private static void Keep(IServiceMeshBuilder mesh, Action<RedisTransport> keep)
    {
        var added = mesh.Services.Single(service => service.IsKeyedService && service.KeyedImplementationInstance is TransportRegistration);
        var registration = (TransportRegistration)added.KeyedImplementationInstance!;
        mesh.Services.Remove(added);
        mesh.AddTransport(registration with
        {
            Create = provider =>
            {
                var transport = (RedisTransport)registration.Create(provider);
                keep(transport);
                return transport;
            },
        });
    }
}
