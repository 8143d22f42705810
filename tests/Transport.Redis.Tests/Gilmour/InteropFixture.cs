using Microsoft.Extensions.DependencyInjection;
using NUnit.Framework;
using ServiceMesh.Support;

namespace ServiceMesh.Redis.Tests;

/// <summary>One Redis, one foreign node and any number of ours, all anew for each test.</summary>
public abstract class InteropFixture
{
    protected static readonly RequestTopic<string, string> Ask = new("interop.ask");
    protected static readonly SignalTopic<string> News = new("interop.news");

    private readonly List<TestNode> _ours = [];
    private RedisServer? _redis;
    private ForeignNode? _theirs;

    internal ForeignNode Theirs => _theirs!;

    protected RedisServer Redis => _redis!;

    [SetUp]
    public async Task StartRedisAsync()
    {
        _redis = await RedisServer.StartAsync();
        _theirs = await ForeignNode.ConnectAsync(_redis);
    }

    [TearDown]
    public async Task StopAllAsync()
    {
        foreach (var node in _ours)
        {
            await node.DisposeAsync();
        }

        _ours.Clear();
        await _theirs!.DisposeAsync();
        await _redis!.DisposeAsync();
    }

    /// <summary>Starts one of ours; the last setting of a key counts.</summary>
    protected async Task<TestNode> StartAsync(Action<IServiceMeshBuilder>? configure = null, params (string Key, string Value)[] settings)
    {
        var node = await TestNode.StartAsync(
            mesh =>
            {
                mesh.AddRedisTransport();
                configure?.Invoke(mesh);
            },
            new (string Key, string Value)[]
            {
                ("Transport", "Redis"), ("Redis:Configuration", Redis.Address), ("Redis:Wire", "Gilmour"),
                ("Request:Timeout", "00:00:20"), ("DrainTimeout", "00:00:05"),
            }.Concat(settings).GroupBy(setting => setting.Key, (_, same) => same.Last()));
        _ours.Add(node);
        return node;
    }
}
