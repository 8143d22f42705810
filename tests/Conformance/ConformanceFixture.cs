using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using NUnit.Framework;
using NUnit.Framework.Constraints;

namespace ServiceMesh.Conformance;

/// <summary>The base of all themes of the suite: a new network for each test, and methods that start and stop nodes.</summary>
/// <typeparam name="TFactory">The transport under test.</typeparam>
public abstract class ConformanceFixture<TFactory>
    where TFactory : TransportFactory, new()
{
    private readonly List<MeshNode> _running = [];
    private readonly List<MeshNode> _started = [];
    private TFactory _factory = new();
    private string _directory = "";

    protected TFactory Factory => _factory;

    protected TransportCapabilities Capabilities => _factory.CapabilitiesHere;

    [SetUp]
    public async Task StartNetworkAsync()
    {
        _running.Clear();
        _started.Clear();
        _directory = Path.Combine(Path.GetTempPath(), "servicemesh-conformance", Guid.NewGuid().ToString("N"));
        _factory = new();
        await _factory.StartAsync().InTime();
    }

    [TearDown]
    public async Task StopNetworkAsync()
    {
        await Task.WhenAll(_started.Select(node => node.DisposeAsync().AsTask())).InTime();
        await _factory.StopAsync().InTime();
        if (Directory.Exists(_directory))
        {
            Directory.Delete(_directory, recursive: true);
        }
    }

    protected bool Can(TransportFeatures feature) => Capabilities.Has(feature);

    /// <summary>What <see cref="SignalResult.Receivers"/> must be, by what the transport counts.</summary>
    protected IResolveConstraint IsCountOf(int nodes, int subscriptions) => Capabilities.ReceiverCount switch
    {
        ReceiverCount.Deliveries => Is.GreaterThanOrEqualTo(Math.Min(nodes, subscriptions)),
        ReceiverCount.Nodes => Is.EqualTo(nodes),
        ReceiverCount.Subscriptions => Is.EqualTo(subscriptions),
        _ => Is.Null,
    };

    /// <summary>What <see cref="SignalResult.Receivers"/> must be when no subscription matches.</summary>
    protected IResolveConstraint IsCountOfNone => Capabilities.ReceiverCount == ReceiverCount.Unknown ? Is.Null : Is.EqualTo(0);


    /// <summary>The encoded bytes of a value.</summary>
    protected byte[] BodyOf<T>(T value)
    {
        var buffer = new System.Buffers.ArrayBufferWriter<byte>();
        _factory.Bodies.Serialize(value, buffer);
        return buffer.WrittenSpan.ToArray();
    }

    /// <summary>The length of the longest ASCII text whose body has at most <paramref name="bytes"/> bytes.</summary>
    protected int LongestText(int bytes)
    {
        var length = bytes;
        while (BodyOf(new string('a', length)).Length is var size && size > bytes)
        {
            length -= size - bytes;
        }

        return length;
    }

    /// <summary>The bytes of the message that a report carries.</summary>
    protected static byte[] DataOf(ErrorReport report) =>
        report.DataEncoding == "base64" ? Convert.FromBase64String(report.Data) : System.Text.Encoding.UTF8.GetBytes(report.Data);

    /// <summary>The decoded text of a report's message.</summary>
    protected string? TextOf(ErrorReport report) => _factory.Bodies.Deserialize<string>(DataOf(report));

    /// <summary>Starts a node, and waits until all nodes know of each other.</summary>
    protected async Task<MeshNode> StartAsync(Action<IServiceMeshBuilder>? configure = null, params (string Key, string Value)[] settings)
    {
        var number = _started.Count;
        var all = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase)
        {
            // Longer than any test needs, shorter than the limit of Failsafe: a lost answer then ends as a timeout.
            ["Request:Timeout"] = "00:00:20",
            ["DrainTimeout"] = "00:00:05",
            ["Serializer"] = _factory.Bodies.Name,
            ["Errors:QueueFile"] = Path.Combine(_directory, $"node{number}.jsonl"),
        };
        foreach (var (key, value) in (IEnumerable<(string, string)>)[.. _factory.SettingsOf(number), .. settings])
        {
            all[key] = value;
        }

        var node = await MeshNode.StartAsync(
            mesh =>
            {
                if (_factory.Bodies is not JsonMessageSerializer)
                {
                    mesh.AddSerializer(_factory.Bodies);
                }

                _factory.AddTransport(mesh);
                configure?.Invoke(mesh);
            },
            all);
        _started.Add(node);
        _running.Add(node);
        await _factory.SettleAsync(_running).InTime();
        return node;
    }

    /// <summary>
    /// Makes a node without a host: the container of an application, whose bus is not started, stopped or disposed by anything but the
    /// test.
    /// </summary>
    protected ServiceProvider MakeBare(int number, Action<IServiceMeshBuilder>? configure = null)
    {
        var settings = Factory.SettingsOf(number).Concat([("Serializer", Factory.Bodies.Name), ("Request:Timeout", "00:00:20")]);
        var configuration = new ConfigurationBuilder().AddInMemoryCollection(
            settings.Select(s => KeyValuePair.Create<string, string?>($"ServiceMesh:{s.Item1}", s.Item2))).Build();
        var services = new ServiceCollection();
        var mesh = services.AddServiceMesh(configuration.GetSection("ServiceMesh"));
        if (Factory.Bodies is not JsonMessageSerializer)
        {
            mesh.AddSerializer(Factory.Bodies);
        }

        Factory.AddTransport(mesh);
        configure?.Invoke(mesh);
        return services.BuildServiceProvider();
    }

    /// <summary>Starts a node that has no host.</summary>
    protected static async Task StartBareAsync(ServiceProvider node)
    {
        foreach (var service in node.GetServices<IHostedService>())
        {
            await service.StartAsync(CancellationToken.None).InTime();
        }
    }

    /// <summary>Starts several nodes with the same configuration.</summary>
    protected async Task<MeshNode[]> StartAsync(int count, Action<IServiceMeshBuilder> configure)
    {
        var nodes = new MeshNode[count];
        for (var i = 0; i < count; i++)
        {
            nodes[i] = await StartAsync(configure);
        }

        return nodes;
    }

    /// <summary>
    /// Stops nodes as their hosts would. Afterwards none of their handlers runs and all their error reports are filed, so a test
    /// can count them.
    /// </summary>
    protected async Task StopAsync(params MeshNode[] nodes)
    {
        _running.RemoveAll(nodes.Contains);
        await Task.WhenAll(nodes.Select(node => node.StopAsync()));
        await _factory.SettleAsync(_running).InTime();
    }
}
