using System.Collections.Concurrent;
using System.Diagnostics;
using Microsoft.Extensions.DependencyInjection;
using NUnit.Framework;
using ServiceMesh.Support;

namespace ServiceMesh.Faults.Tests;

/// <summary>
/// A node that calls and three members, each behind networks that can fail, and 64 callers. Whatever happens between the start and
/// <see cref="CheckAsync"/>, the promises of the ledger hold and each member serves again. The transport is that of the subclass.
/// </summary>
/// <param name="seed">Determines the choices of the callers and the duration of the handlers.</param>
internal abstract class FaultModel(int seed) : IAsyncDisposable
{
    public const int Members = 3;

    /// <summary>The caller is node 0, and the members are the others.</summary>
    public const int Nodes = Members + 1;

    protected static readonly TimeSpan Patience = TimeSpan.FromSeconds(40);

    private static readonly SignalTopic<int> s_news = new("model.news");
    private static int s_models;

    private readonly int _model = Interlocked.Increment(ref s_models);
    private readonly ConcurrentDictionary<(int Member, int News), bool> _heard = new();
    private readonly List<FaultProxy> _networks = [];
    private readonly TestNode?[] _nodes = new TestNode?[Nodes];
    private readonly Random _work = new(seed);
    private readonly long[] _lastWork = new long[Nodes];
    private ModelLoad? _load;

    public Ledger Ledger { get; } = new();

    /// <summary>The networks that can fail.</summary>
    public IReadOnlyList<FaultProxy> Networks => _networks;

    public ModelLoad Load => _load!;

    /// <summary>Within which time each member serves again after the last fault.</summary>
    protected abstract TimeSpan ServesAgain { get; }

    private IServiceBus Caller => _nodes[0]!.Bus;

    private string Topic => $"model.work{_model}";

    /// <summary>Waits until this many further requests have succeeded.</summary>
    public async Task SucceedAsync(int more)
    {
        var (enough, waited) = (Load.Succeeded + more, Stopwatch.StartNew());
        while (Load.Succeeded < enough && waited.Elapsed < Patience)
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
        var mayTake = LostTime.WidenSince(ServesAgain, lost);
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

            await DisposeServersAsync();
        }
    }

    /// <summary>Starts all nodes and then the callers.</summary>
    /// <param name="timeouts">
    /// The timeouts of requests; each request has one of them. Null for some below and some above the time after which a member counts as
    /// silent.
    /// </param>
    protected async Task BeginAsync(TimeSpan[]? timeouts)
    {
        try
        {
            for (var node = Nodes - 1; node >= 0; node--)
            {
                await StartAsync(node);
            }

            _load = ModelLoad.Start(
                Caller, Ledger, Topic, seed, timeouts ?? [TimeSpan.FromSeconds(0.5), TimeSpan.FromSeconds(2), TimeSpan.FromSeconds(8)]);
            await SucceedAsync(ModelLoad.Callers * 3);
        }
        catch
        {
            await DisposeAsync();
            throw;
        }
    }

    /// <summary>Starts a node, with the handlers of a member unless it is the caller.</summary>
    protected async Task StartAsync(int node) => _nodes[node] = await StartNodeAsync(node, mesh =>
    {
        if (node > 0)
        {
            mesh.AddHandler(new RequestTopic<int, int>(Topic), (number, _) => WorkAsync(number, node));
            mesh.AddHandler(Probe(node), (number, _) => number);
            mesh.AddHandler(s_news, (news, _) => { _heard[(node, news)] = true; });
        }
    }).WaitAsync(Patience);

    /// <summary>Stops a node as its host does.</summary>
    protected async Task StopAsync(int node)
    {
        if (Interlocked.Exchange(ref _nodes[node], null) is { } running)
        {
            await running.DisposeAsync().AsTask().WaitAsync(Patience);
        }
    }

    /// <summary>A new network in front of a loopback port.</summary>
    protected FaultProxy AddNetwork(int target)
    {
        var network = FaultProxy.Start(target);
        _networks.Add(network);
        return network;
    }

    /// <summary>Starts a node over the transport.</summary>
    protected abstract Task<TestNode> StartNodeAsync(int node, Action<IServiceMeshBuilder> configure);

    /// <summary>Stops the servers that are not nodes.</summary>
    protected virtual ValueTask DisposeServersAsync() => ValueTask.CompletedTask;

    private async Task<int> WorkAsync(int number, int node)
    {
        Ledger.Ran(number, $"member {node}");
        Volatile.Write(ref _lastWork[node], Stopwatch.GetTimestamp());
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

    // A member serves when it answers a request on its own topic, receives a signal, and gets its share of the load.
    private async Task<TimeSpan> ServesAfterAsync(int member, long healed)
    {
        var (answered, news) = (false, 0);
        while (Stopwatch.GetElapsedTime(healed) < Patience)
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

            if (answered && _heard.Keys.Any(heard => heard.Member == member && heard.News <= news)
                && Volatile.Read(ref _lastWork[member]) > healed)
            {
                break;
            }

            await Task.Delay(20);
        }

        return Stopwatch.GetElapsedTime(healed);
    }

    private static RequestTopic<int, int> Probe(int node) => new($"model.member{node}");

    private Task StopNodesAsync() => Task.WhenAll(Enumerable.Range(0, Nodes).Select(StopAsync));
}
