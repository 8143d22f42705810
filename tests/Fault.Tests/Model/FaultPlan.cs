using ServiceMesh.Support;

namespace ServiceMesh.Faults.Tests;

/// <summary>The faults of a network.</summary>
internal enum FaultKind
{
    Delay,
    Throttle,
    Cut,
    Reset,
    Silence,
}

/// <summary>One fault of a plan.</summary>
/// <param name="Kind">The kind of fault.</param>
/// <param name="Node">The node whose connections it affects; <see cref="FaultPlan.AllNodes"/> for all.</param>
/// <param name="Direction">The direction of the bytes that it affects.</param>
/// <param name="Begins">The time from the start of the plan.</param>
/// <param name="Lasts">The duration. A cut or a reset takes no time.</param>
/// <param name="Amount">Milliseconds of a delay, bytes in a second of a throttle, bytes until a cut.</param>
internal sealed record FaultStep(FaultKind Kind, int Node, FaultDirection Direction, TimeSpan Begins, TimeSpan Lasts, int Amount)
{
    public override string ToString() =>
        $"{Begins.TotalSeconds:0.00} s: {Kind} {Direction}, {(Node == FaultPlan.AllNodes ? "all nodes" : $"node {Node}")}, " +
        $"{Lasts.TotalSeconds:0.00} s, amount {Amount}";
}

/// <summary>Faults at their times, which may overlap. The same seed makes the same plan. Immutable.</summary>
internal sealed record FaultPlan(IReadOnlyList<FaultStep> Steps)
{
    public const int AllNodes = -1;

    private const int OneInSoManyIsForAll = 6;

    /// <param name="seed">Determines the whole plan.</param>
    /// <param name="nodes">The number of nodes.</param>
    /// <param name="steps">The number of faults.</param>
    /// <param name="span">The time within which they begin.</param>
    public static FaultPlan Of(int seed, int nodes, int steps, TimeSpan span)
    {
        var random = new Random(seed);
        return new([.. Enumerable.Range(0, steps).Select(_ => Step(random, nodes, span)).OrderBy(step => step.Begins)]);
    }

    /// <summary>Executes the plan; at its end all faults are healed.</summary>
    /// <param name="networks">The network of each node.</param>
    public async Task RunAsync(IReadOnlyList<FaultProxy> networks)
    {
        await Task.WhenAll(Steps.Select(step => RunAsync(step, step.Node == AllNodes ? networks : [networks[step.Node]])));
        foreach (var network in networks)
        {
            network.Heal();
        }
    }

    public override string ToString() => string.Join(Environment.NewLine, Steps);

    private static FaultStep Step(Random random, int nodes, TimeSpan span)
    {
        var kind = (FaultKind)random.Next(5);
        var node = random.Next(OneInSoManyIsForAll) == 0 ? AllNodes : random.Next(nodes);
        var direction = (FaultDirection)(1 + random.Next(3));
        var begins = span * random.NextDouble();
        var (shortest, longest, amount) = kind switch
        {
            FaultKind.Delay => (0.2, 2.0, random.Next(5, 300)),
            FaultKind.Throttle => (0.2, 2.0, random.Next(2_000, 60_000)),
            FaultKind.Cut => (0.0, 0.0, random.Next(1, 4_000)),
            // Some are shorter than the time after which a node counts as silent, and some are longer.
            FaultKind.Silence => (0.1, 5.0, 0),
            _ => (0.0, 0.0, 0),
        };
        return new(kind, node, direction, begins, TimeSpan.FromSeconds(shortest + ((longest - shortest) * random.NextDouble())), amount);
    }

    private static async Task RunAsync(FaultStep step, IReadOnlyList<FaultProxy> networks)
    {
        await Task.Delay(step.Begins);
        Each(networks, network => Begin(step, network));
        await Task.Delay(step.Lasts);
        Each(networks, network => End(step, network));
    }

    private static void Each(IReadOnlyList<FaultProxy> networks, Action<FaultProxy> act)
    {
        foreach (var network in networks)
        {
            act(network);
        }
    }

    private static void Begin(FaultStep step, FaultProxy network)
    {
        switch (step.Kind)
        {
            case FaultKind.Delay:
                network.Delay(step.Direction, TimeSpan.FromMilliseconds(step.Amount));
                break;
            case FaultKind.Throttle:
                network.Throttle(step.Direction, step.Amount);
                break;
            case FaultKind.Cut:
                network.CutAfter(step.Direction, step.Amount);
                break;
            case FaultKind.Reset:
                network.Reset();
                break;
            default:
                network.Silence(step.Direction);
                break;
        }
    }

    private static void End(FaultStep step, FaultProxy network)
    {
        switch (step.Kind)
        {
            case FaultKind.Delay:
                network.Delay(step.Direction, TimeSpan.Zero);
                break;
            case FaultKind.Throttle:
                network.Throttle(step.Direction, 0);
                break;
            case FaultKind.Silence:
                network.Speak(step.Direction);
                break;
        }
    }
}
