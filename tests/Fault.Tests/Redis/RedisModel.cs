using System.Collections.Concurrent;
using System.Diagnostics;
using Microsoft.Extensions.DependencyInjection;
using NUnit.Framework;
using ServiceMesh.Support;

namespace ServiceMesh.Faults.Tests;

/// <summary>
/// A node that calls and three members over a real Redis, each with a network of its own that can fail, and 64 callers. Whatever
/// happens between the start and <see cref="CheckAsync"/>, the promises of the ledger hold and each member serves again.
/// </summary>
internal sealed class RedisModel : IAsyncDisposable
{
    public const int Members = 3;

    /// <summary>The caller is node 0, and the members are the others.</summary>
    public const int Nodes = Members + 1;

    private static readonly TimeSpan s_servesAgain = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(40);
    private static readonly SignalTopic<int> s_news = new("model.news");
    private static int s_models;

    private readonly int _model = Interlocked.Increment(ref s_models);
    private readonly ConcurrentDictionary<(int Member, int News), bool> _heard = new();
    private readonly List<FaultProxy> _networks = [];
    private readonly List<TestNode> _nodes = [];
    private readonly Random _work;
    private ModelLoad? _load;

    private RedisModel(RedisServer redis, int seed) => (Redis, _work) = (redis, new(seed));

    public RedisServer Redis { get; }

    public Ledger Ledger { get; } = new();

    /// <summary>The network between each node and Redis.</summary>
    public IReadOnlyList<FaultProxy> Networks => _networks;

    public ModelLoad Load => _load!;

    private IServiceBus Caller => _nodes[0].Bus;

    private string Topic => $"model.work{_model}";

    /// <param name="seed">Determines the choices of the callers and the duration of the handlers.</param>
    /// <param name="timeouts">The timeouts of requests; each request has one of them. Null for some below and some above the time
    /// after which a member counts as silent.</param>
    /// <param name="clocks">The clock of each node; null for that of the machine.</param>
    /// <param name="isSealed">Whether the mesh has a key.</param>
    public static async Task<RedisModel> StartAsync(
        int seed, TimeSpan[]? timeouts = null, TimeProvider[]? clocks = null, bool isSealed = false)
    {
        var model = new RedisModel(await RedisServer.StartAsync(), seed);
        try
        {
            for (var node = 0; node < Nodes; node++)
            {
                await model.AddAsync(node, clocks?[node] ?? TimeProvider.System, isSealed);
            }

            model._load = ModelLoad.Start(
                model.Caller, model.Ledger, model.Topic, seed,
                timeouts ?? [TimeSpan.FromSeconds(0.5), TimeSpan.FromSeconds(2), TimeSpan.FromSeconds(8)]);
            await model.SucceedAsync(ModelLoad.Callers * 3);
            return model;
        }
        catch
        {
            await model.DisposeAsync();
            throw;
        }
    }

    /// <summary>Waits until this many further requests have succeeded.</summary>
    public async Task SucceedAsync(int more)
    {
        var (enough, waited) = (Load.Succeeded + more, Stopwatch.StartNew());
        while (Load.Succeeded < enough && waited.Elapsed < s_patience)
        {
            await Task.Delay(5);
        }

        Assert.That(Load.Succeeded, Is.GreaterThanOrEqualTo(enough), "the mesh moves requests");
    }

    /// <summary>
    /// The fault is over. Waits until each member serves again, ends the load, drains all nodes, and checks every promise.
    /// </summary>
    /// <param name="about">A description of the faults, printed when a promise was broken.</param>
    public async Task CheckAsync(string about)
    {
        var (healed, lost) = (Stopwatch.GetTimestamp(), LostTime.Total);
        var served = await Task.WhenAll(Enumerable.Range(1, Members).Select(member => ServesAfterAsync(member, healed)));
        var mayTake = LostTime.WidenSince(s_servesAgain, lost);
        await Load.StopAsync();
        await StopNodesAsync();

        var violations = Ledger.Violations();
        await TestContext.Out.WriteLineAsync(
            $"{Ledger.Begun} requests. {Ledger.Summary}. "
                + $"Members served again after {string.Join(", ", served.Select(s => $"{s.TotalSeconds:0.00} s"))}.");
        using (Assert.EnterMultipleScope())
        {
            Assert.That(violations.Take(20), Is.Empty, $"{violations.Count} promises were broken.{Environment.NewLine}{about}");
            Assert.That(served, Has.All.LessThanOrEqualTo(mayTake), $"Each member serves again in time.{Environment.NewLine}{about}");
        }
    }

    public async ValueTask DisposeAsync()
    {
        _networks.ForEach(network => network.Heal());
        try
        {
            if (_load is not null)
            {
                await _load.StopAsync();
            }

            await StopNodesAsync();
        }
        finally
        {
            _load?.Dispose();
            foreach (var network in _networks)
            {
                await network.DisposeAsync();
            }

            await Redis.DisposeAsync();
        }
    }

    private async Task AddAsync(int node, TimeProvider clock, bool isSealed)
    {
        var network = FaultProxy.Start(Redis.Port);
        _networks.Add(network);
        _nodes.Add(await TestNode.StartAsync(
            mesh =>
            {
                mesh.AddRedisTransport();
                if (node > 0)
                {
                    mesh.AddHandler(new RequestTopic<int, int>(Topic), (number, _) => WorkAsync(number, node));
                    mesh.AddHandler(Probe(node), (number, _) => number);
                    mesh.AddHandler(s_news, (news, _) => { _heard[(node, news)] = true; });
                }
            },
            [
                ("Transport", "Redis"), ("Redis:Configuration", network.Address), ("ErrorPolicy", "Ignore"), ("DrainTimeout", "00:00:03"),
                .. isSealed ? ((string, string)[])[("Redis:Keys:0", Convert.ToBase64String(new byte[32]))] : [],
            ],
            services => services.AddSingleton(clock)).WaitAsync(s_patience));
    }

    private async Task<int> WorkAsync(int number, int node)
    {
        Ledger.Ran(number, $"member {node}");
        int time;
        lock (_work)
        {
            time = _work.Next(10) == 0 ? _work.Next(1, 50) : 0;
        }

        if (time > 0)
        {
            await Task.Delay(time);
        }

        return number;
    }

    // A member serves when it answers a request on its own topic and receives a signal.
    private async Task<TimeSpan> ServesAfterAsync(int member, long healed)
    {
        var (answered, news) = (false, 0);
        while (Stopwatch.GetElapsedTime(healed) < s_patience)
        {
            answered = answered || (await Caller.TryRequestAsync(
                Probe(member), member, new RequestOptions { Timeout = TimeSpan.FromSeconds(1) })).IsSuccess;
            try
            {
                await Caller.SignalAsync(s_news, ++news);
            }
            catch (ServiceMeshException)
            {
                // The caller has not reconnected yet.
            }

            if (answered && _heard.Keys.Any(heard => heard.Member == member && heard.News <= news))
            {
                break;
            }

            await Task.Delay(20);
        }

        return Stopwatch.GetElapsedTime(healed);
    }

    private static RequestTopic<int, int> Probe(int node) => new($"model.member{node}");

    private async Task StopNodesAsync()
    {
        await Task.WhenAll(_nodes.Select(node => node.DisposeAsync().AsTask())).WaitAsync(s_patience);
        _nodes.Clear();
    }
}
