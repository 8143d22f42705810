namespace ServiceMesh.Conformance.Compositions;

/// <summary>
/// Random programs whose outcome is determined: what runs at once does not depend on what the others do, and time passes or the caller
/// cancels only where nothing runs at once.
/// </summary>
/// <param name="random">The source of all choices.</param>
/// <param name="interrupts">Whether time may pass.</param>
public sealed class Generator(Random random, bool interrupts)
{
    private int _topics;
    private int _locals = 1000;

    /// <summary>A program of some depth.</summary>
    public Node Next(int depth) => Any(depth, new(CanInterrupt: true, CanRemember: true));

    private Node Any(int depth, Place place)
    {
        if (depth <= 0 || random.Next(6) == 0)
        {
            return Leaf(place);
        }

        var (next, inner) = (depth - 1, place with { CanInterrupt = false });
        return random.Next(20) switch
        {
            0 or 1 or 2 => new Node.Pipe(Any(next, place), Any(next, place)),
            3 => new Node.AndAnd(Any(next, place), Any(next, place)),
            4 => new Node.OrOr(Any(next, place), Any(next, place)),
            5 => new Node.Batch(Several(next, place)),
            6 => new Node.Settle(Several(next, place), null),
            7 => new Node.Settle(Several(next, inner), random.Next(1, 4)),
            8 => new Node.Parallel(Several(next, inner), random.Next(2) == 0 ? int.MaxValue : random.Next(1, 4)),
            9 => new Node.ForEach(
                Any(next, inner with { CanRemember = false }), random.Next(0, 4), random.Next(1, 4), IsSettled: random.Next(2) == 0),
            10 => new Node.Both(Any(next, inner), Any(next, inner)),
            11 => Race(next, inner),
            12 => new Node.Keep(Any(next, place)),
            13 => new Node.Tee(Any(next, place), Any(next, place)),
            14 => new Node.Merge(Any(next, place), random.Next(100)),
            15 => new Node.Choose(Any(next, place), Any(next, place)),
            16 => new Node.Recover(Any(next, place), Any(next, place), Compensates: random.Next(3) == 0),
            17 when interrupts => new Node.Within(Any(next, place), TimeSpan.FromMilliseconds(random.Next(1, 12) * 100)),
            17 => new Node.Within(Any(next, place), TimeSpan.FromHours(1)),
            18 => random.Next(3) == 0
                ? new Node.Idempotent(Any(next, place))
                : new Node.Retry(Any(next, place), random.Next(1, 5), Always: random.Next(2) == 0),
            _ => new Node.Script(Any(next, place), Any(next, place)),
        };
    }

    private Node[] Several(int depth, Place place) => [.. Enumerable.Range(0, random.Next(1, 4)).Select(_ => Any(depth, place))];

    // One that may succeed, and others that cannot win.
    private Node.Race Race(int depth, Place place)
    {
        var losers = Enumerable.Range(0, random.Next(0, 3)).Select(_ => Loser());
        return random.Next(3) == 0
            ? new([new Node.Local(_locals++, new(ActKind.Adds, 3)), new Node.Hang(), .. losers])
            : new([Any(depth, place), .. losers]);
    }

    private Node Loser() => random.Next(2) == 0
        ? new Node.Request(0, new(ActKind.Unhandled), IsIdempotent: false)
        : new Node.Local(_locals++, new(ActKind.FailsQuietly, 400 + random.Next(5)));

    private Node Leaf(Place place)
    {
        var idempotent = random.Next(3) == 0;
        switch (random.Next(16))
        {
            case 0 or 1:
                return new Node.Request(0, new(ActKind.Unhandled), IsIdempotent: false);
            case 2:
                return new Node.Fail(random.Next(410, 424));
            case 3:
                return new Node.Local(_locals++, new(ActKind.Throws));
            case 4:
                return new Node.Local(_locals++, new(ActKind.Fails, random.Next(410, 424)));
            case 5 or 6 or 7 when place.CanRemember:
                var failures = new Act(ActKind.FailsAtFirst, random.Next(3) == 0 ? 420 : 429, random.Next(1, 4));
                return NextTopic() is >= 0 and var flaky && random.Next(3) > 0
                    ? new Node.Request(flaky, failures, idempotent)
                    : new Node.Local(_locals++, failures);
            case 8 or 9 when place.CanInterrupt && interrupts:
                return new Node.Local(_locals++, new(ActKind.Ticks, random.Next(1, 8) * 100));
            case 10 when place.CanInterrupt && random.Next(4) == 0:
                return new Node.Local(_locals++, new(ActKind.Cancels));
            case 11 when NextTopic() is >= 0 and var failing:
                return new Node.Request(
                    failing, random.Next(2) == 0 ? new(ActKind.FailsWithValue) : new(ActKind.Fails, random.Next(410, 424)), idempotent);
            case 12:
                return new Node.Local(_locals++, new(ActKind.Adds, random.Next(100)));
            default:
                return NextTopic() is >= 0 and var topic
                    ? new Node.Request(topic, new(ActKind.Adds, random.Next(100)), idempotent)
                    : new Node.Local(_locals++, new(ActKind.Adds, random.Next(100)));
        }
    }

    // A topic has one behaviour in a program.
    private int NextTopic() => _topics < Stage.Topics ? _topics++ : -1;

    /// <param name="CanInterrupt">Nothing runs at the same time.</param>
    /// <param name="CanRemember">It runs once at a time, so the number of its calls is determined.</param>
    private readonly record struct Place(bool CanInterrupt, bool CanRemember);
}
