namespace ServiceMesh.Conformance.Compositions;

/// <summary>
/// What a program does, by the document alone: an interpreter without tasks, transports or the code under test. Branches run one after
/// the other, because what they do does not depend on each other.
/// </summary>
public sealed class Oracle
{
    private readonly Dictionary<int, int> _calls = [];
    private readonly Stack<TimeSpan> _deadlines = new();
    private bool _isCancelled;
    private bool _isIdempotent;

    /// <summary>The time that has passed.</summary>
    public TimeSpan Now { get; private set; }

    /// <summary>What ran, with its input.</summary>
    public List<(int Number, int Input)> Ran { get; } = [];

    private bool IsTooLate => Now >= _deadlines.Min();

    /// <summary>Executes, or resumes, under a deadline of its own.</summary>
    /// <returns>The outcome; null when the caller cancelled.</returns>
    public Outcome? Execute(Func<Outcome> run, TimeSpan timeout)
    {
        _deadlines.Clear();
        _deadlines.Push(Now + timeout);
        (_isCancelled, _isIdempotent) = (false, false);
        try
        {
            return run();
        }
        catch (CancelledException)
        {
            return null;
        }
    }

    /// <summary>What a node does with an input.</summary>
    public Outcome Run(Node node, int x) => node switch
    {
        Node.Request request => Leaf(() => RunRequest(request, x)),
        Node.Local local => Leaf(() => RunLocal(local, x)),
        Node.Hang => Leaf(() => NotBegun("hang")),
        Node.Fail fail => Leaf(() => RunFail(Outcome.Failed(fail.Status, "told"))),
        Node.Pipe pipe => Then(() => Run(pipe.First, x), pipe.First.Steps, first => Run(pipe.Second, first.Value)),
        Node.AndAnd both => AndAnd(() => Run(both.First, x), () => Run(both.Second, x)),
        Node.OrOr either => OrOr(() => Run(either.First, x), () => Run(either.Second, x)),
        Node.Batch batch => Batch(Branches(batch.Children, x)),
        Node.Parallel all => Then(() => Parallel(Branches(all.Children, x)), 1, Fold),
        Node.Settle all => Then(() => Settle(Branches(all.Children, x)), 1, Fold),
        Node.ForEach each => Then(() => Leaf(() => Function("items", () => Outcome.Of(x))), 1, first => Each(each, first.Value)),
        Node.Both both => Then(() => Parallel(Branches([both.First, both.Second], x)), 1, Fold),
        Node.Race race => Race(Branches(race.Children, x)),
        Node.Keep keep => Then(() => Keep(() => Run(keep.Body, x), x), 1, Fold),
        Node.Tee tee => Tee(() => Run(tee.Body, x), tee.Side),
        Node.Merge merge => Chosen(node, x, null, () => Run(merge.Body, Node.Mix(x, merge.With))),
        Node.Choose choose => Chosen(node, x, "choose", () => Run(x % 2 == 0 ? choose.Even : choose.Odd, x)),
        Node.Recover recover => Recover(() => Run(recover.Body, x), recover, x),
        Node.Within within => Within(() => Run(within.Body, x), within.Timeout),
        Node.Idempotent part => Idempotent(() => Run(part.Body, x)),
        Node.Retry retry => Retry(() => Run(retry.Body, x), retry),
        Node.Script step => Leaf(() => RunStep(step, x)),
        _ => throw new NotSupportedException(node.ToString()),
    };

    private static Outcome Then(Func<Outcome> first, int steps, Func<Outcome, Outcome> second)
    {
        var one = first();
        if (!one.IsSuccess)
        {
            return one with
            {
                Whole = () => Then(one.Whole!, steps, second),
                FailedOnly = () => Then(one.FailedOnly!, steps, second),
            };
        }

        var two = second(one);
        return two.IsSuccess ? two : Moved(two, steps) with { NotProcessed = false };
    }

    private static Outcome Moved(Outcome outcome, int steps) => outcome.IsSuccess ? outcome : outcome with
    {
        Index = outcome.Index + steps,
        Whole = () => Moved(outcome.Whole!(), steps),
        FailedOnly = () => Moved(outcome.FailedOnly!(), steps),
    };

    private static Outcome AndAnd(Func<Outcome> first, Func<Outcome> second)
    {
        var one = first();
        if (!one.IsSuccess)
        {
            return Form(one, () => AndAnd(first, second), () => AndAnd(Left(one), second));
        }

        var two = second();
        return two.IsSuccess
            ? two
            : Form(two with { NotProcessed = false }, () => AndAnd(first, second), () => AndAnd(Left(one), Left(two)));
    }

    private static Outcome OrOr(Func<Outcome> first, Func<Outcome> second)
    {
        var one = first();
        if (one.IsSuccess)
        {
            return one;
        }

        var two = second();
        return two.IsSuccess
            ? two
            : Form(
                two with
                {
                    NotProcessed = one.NotProcessed && two.NotProcessed,
                    MayRunAgain = one.MayRunAgain && two.MayRunAgain,
                },
                () => OrOr(first, second), () => OrOr(Left(one), Left(two)));
    }

    private static Outcome Batch(Func<Outcome>[] steps)
    {
        var all = steps.Select(step => step()).ToArray();
        var last = all[^1];
        return last.IsSuccess
            ? last
            : Form(
                last with { NotProcessed = all.All(one => !one.IsSuccess && one.NotProcessed) },
                () => Batch(steps),
                () => Batch([.. Enumerable.Repeat(() => last, steps.Length - 1), Left(last)]));
    }

    private static Outcome Parallel(Func<Outcome>[] branches)
    {
        var all = branches.Select(branch => branch()).ToArray();
        return all.All(one => one.IsSuccess)
            ? Outcome.Of(all.Select(one => one.Value))
            : Form(Worst(all), () => Parallel(branches), () => Parallel([.. all.Select(Left)]));
    }

    private static Outcome Race(Func<Outcome>[] branches)
    {
        List<Outcome> all = [];
        foreach (var branch in branches)
        {
            all.Add(branch());
            if (all[^1].IsSuccess)
            {
                return all[^1];
            }
        }

        return Form(Worst(all), () => Race(branches), () => Race([.. all.Select(Left)]));
    }

    private Outcome Settle(Func<Outcome>[] branches)
    {
        var all = branches.Select(branch => branch()).ToArray();
        ThrowIfCancelled();
        if (!IsTooLate)
        {
            return Outcome.Of(all.SelectMany(one => new[] { one.Status, one.IsSuccess ? one.Value : -1 }));
        }

        var nothingRan = all.All(one => !one.IsSuccess && one.NotProcessed);
        var late = Outcome.Failed(408, null) with { NotProcessed = nothingRan, MayRunAgain = nothingRan || _isIdempotent };
        return Form(late, () => Settle(branches), () => Settle(branches)) with { IsRepeatable = late.MayRunAgain };
    }

    private Outcome Each(Node.ForEach each, int x)
    {
        var branches = Node.Items(x, each.Count).Select<int, Func<Outcome>>(item => () => Run(each.Body, item)).ToArray();
        return Then(() => each.IsSettled ? Settle(branches) : Parallel(branches), 1, Fold);
    }

    private static Outcome Keep(Func<Outcome> body, int x)
    {
        var one = body();
        return one.IsSuccess ? Outcome.Of([x, one.Value]) : Form(one, () => Keep(body, x), () => Keep(Left(one), x));
    }

    private Outcome Tee(Func<Outcome> body, Node side)
    {
        var one = body();
        if (!one.IsSuccess)
        {
            return Form(one, () => Tee(body, side), () => Tee(Left(one), side));
        }

        Run(side, one.Value);
        return one;
    }

    // A function, which time may have forestalled, and the step that it makes or prepares.
    private Outcome Chosen(Node node, int x, string? name, Func<Outcome> chosen)
    {
        if (NotBegunYet(name) is { } late)
        {
            return late with { IsRepeatable = true, Whole = () => Run(node, x), FailedOnly = () => Run(node, x) };
        }

        var one = chosen();
        return one.IsSuccess ? one : Form(one, () => Run(node, x), Left(one));
    }

    private Outcome Recover(Func<Outcome> body, Node.Recover node, int x)
    {
        var one = body();
        if (one.IsSuccess)
        {
            return one;
        }

        Outcome Whole() => Recover(body, node, x);
        Outcome Again() => Recover(Left(one), node, x);
        if (NotBegunYet(null) is { } late)
        {
            return Form(late with { NotProcessed = one.NotProcessed, MayRunAgain = one.MayRunAgain }, Whole, Again);
        }

        if (one.Status % 2 != 0)
        {
            return Form(one, Whole, Again);
        }

        var two = node.Compensates
            ? AndAnd(() => Run(node.Alternative, x), () => Leaf(() => RunFail(one)))
            : Run(node.Alternative, x);
        return two.IsSuccess ? two : Form(two with { NotProcessed = one.NotProcessed && two.NotProcessed }, Whole, Left(two));
    }

    private Outcome Within(Func<Outcome> body, TimeSpan timeout)
    {
        _deadlines.Push(Now + timeout);
        try
        {
            var one = body();
            return one.IsSuccess ? one : Form(one, () => Within(body, timeout), () => Within(Left(one), timeout));
        }
        finally
        {
            _deadlines.Pop();
        }
    }

    private Outcome Idempotent(Func<Outcome> body)
    {
        var before = _isIdempotent;
        _isIdempotent = true;
        try
        {
            var one = body();
            return one.IsSuccess ? one : Form(one, () => Idempotent(body), () => Idempotent(Left(one)));
        }
        finally
        {
            _isIdempotent = before;
        }
    }

    private Outcome Retry(Func<Outcome> body, Node.Retry rule)
    {
        var one = body();
        var nothingRan = true;
        for (var attempts = 1; !one.IsSuccess; attempts++)
        {
            nothingRan &= one.NotProcessed;
            var last = one;
            if (attempts == rule.Attempts || !one.MayRunAgain || IsTooLate
                || !(rule.Always || one.Status is 408 or 429 or 499 or 502 or 503 or 504))
            {
                return Form(one with { NotProcessed = nothingRan }, () => Retry(body, rule), () => Retry(Left(last), rule));
            }

            one = one.FailedOnly!();
        }

        return one;
    }

    private Outcome RunRequest(Node.Request request, int x)
    {
        if (NotBegunYet(request.Topic) is { } late)
        {
            return late;
        }

        if (request.Act.Kind == ActKind.Unhandled)
        {
            return Outcome.Failed(404, request.Topic) with { NotProcessed = true, MayRunAgain = true };
        }

        var one = Perform(request.Number, request.Act, x);
        return one.IsSuccess ? one : one with { Step = request.Topic, MayRunAgain = _isIdempotent || request.IsIdempotent };
    }

    private Outcome RunLocal(Node.Local local, int x) => Function(local.Name, () =>
    {
        var one = Perform(local.Number, local.Act, x);
        return one.IsSuccess ? one : one with { Step = local.Name, MayRunAgain = _isIdempotent };
    });

    private Outcome RunFail(Outcome failure)
    {
        ThrowIfCancelled();
        return failure;
    }

    private Outcome RunStep(Node.Script step, int x) => Function("step", () =>
    {
        var tried = Run(step.First, x);
        ThrowIfCancelled();
        if (IsTooLate)
        {
            return Late("step");
        }

        var last = Run(step.Second, tried.IsSuccess ? tried.Value : tried.Status);
        return last.IsSuccess ? last : last with { NotProcessed = false, MayRunAgain = _isIdempotent };
    });

    private Outcome Fold(Outcome before) => Leaf(() => Function("fold", () => Outcome.Of(Node.Fold(before.Values))));

    private Outcome Perform(int number, Act act, int x)
    {
        if (act.Kind != ActKind.FailsQuietly)
        {
            Ran.Add((number, x));
        }

        switch (act.Kind)
        {
            case ActKind.Fails or ActKind.FailsQuietly:
            case ActKind.FailsAtFirst when (_calls[number] = _calls.GetValueOrDefault(number) + 1) <= act.Failures:
                return Outcome.Failed(act.Number, null);
            case ActKind.FailsWithValue:
                return Outcome.Failed(409, null) with { Beside = x };
            case ActKind.Throws:
                return Outcome.Failed(500, null);
            case ActKind.Adds:
                return Outcome.Of(Node.Mix(x, act.Number));
            case ActKind.Ticks:
                Now += TimeSpan.FromMilliseconds(act.Number);
                break;
            case ActKind.Cancels:
                _isCancelled = true;
                break;
        }

        return Outcome.Of(x);
    }

    // A local function: it does not begin when time is up, and has no value when it ends after that.
    private Outcome Function(string name, Func<Outcome> run)
    {
        if (NotBegunYet(name) is { } late)
        {
            return late;
        }

        var one = run();
        ThrowIfCancelled();
        return IsTooLate ? Late(name) : one;
    }

    private Outcome? NotBegunYet(string? step)
    {
        ThrowIfCancelled();
        return IsTooLate ? NotBegun(step) : null;
    }

    private void ThrowIfCancelled()
    {
        if (_isCancelled)
        {
            throw new CancelledException();
        }
    }

    private Func<Outcome>[] Branches(Node[] children, int x) =>
        [.. children.Select<Node, Func<Outcome>>(child => () => Run(child, x))];

    private static Outcome NotBegun(string? step) => Outcome.Failed(408, step) with { NotProcessed = true, MayRunAgain = true };

    private Outcome Late(string? step) => Outcome.Failed(408, step) with { MayRunAgain = _isIdempotent };

    // The first of the highest status, which is not processed when none ran.
    private static Outcome Worst(IReadOnlyList<Outcome> all) => all.MaxBy(one => one.Status)! with
    {
        NotProcessed = all.All(one => !one.IsSuccess && one.NotProcessed),
        MayRunAgain = all.All(one => one.IsSuccess || one.MayRunAgain),
    };

    // A step without steps in it is resumed as it is.
    private static Outcome Leaf(Func<Outcome> run)
    {
        var one = run();
        return one.IsSuccess ? one : one with
        {
            Index = 0,
            Whole = () => Leaf(run),
            FailedOnly = () => Leaf(run),
            IsRepeatable = one.MayRunAgain,
        };
    }

    // A form is one step, and is resumed as a whole or without what succeeded in it.
    private static Outcome Form(Outcome failed, Func<Outcome> whole, Func<Outcome> again) => failed with
    {
        Index = 0,
        Whole = whole,
        FailedOnly = failed.NotProcessed ? whole : again,
        IsRepeatable = failed.NotProcessed,
    };

    // What is left of a step in a form: its outcome when it succeeded, otherwise what failed in it.
    private static Func<Outcome> Left(Outcome one) => one.IsSuccess ? () => one : () => Resumed(one.FailedOnly!);

    private static Outcome Resumed(Func<Outcome> run)
    {
        var one = run();
        return one.IsSuccess ? one : Form(one, () => Resumed(run), () => Resumed(one.FailedOnly!));
    }

    private sealed class CancelledException : Exception;
}
