using System.Globalization;

namespace ServiceMesh.Conformance.Compositions;

/// <summary>
/// A composition of numbers as data, of which a real one is built and which <see cref="Oracle"/> interprets. Every node takes a number
/// and ends with one.
/// </summary>
public abstract record Node
{
    /// <summary>How many steps a pipe counts it as.</summary>
    public virtual int Steps => 1;

    /// <summary>Small numbers from two numbers.</summary>
    public static int Mix(int a, int b) => (((a * 31) + b) % 997 + 997) % 997;

    /// <summary>One number from the values of several branches.</summary>
    public static int Fold(IEnumerable<int> values) => values.Aggregate(7, Mix);

    /// <summary>One number from the statuses and values of several branches.</summary>
    public static int Fold(IEnumerable<(int Status, int Value)> replies) =>
        Fold(replies.SelectMany(reply => new[] { reply.Status, reply.Value }));

    /// <summary>The items that a list has for an input.</summary>
    public static int[] Items(int input, int count) => [.. Enumerable.Range(input, count)];

    /// <summary>The real composition.</summary>
    public abstract Composition<int, int> Build(Stage stage);

    /// <summary>A request, of which the handler succeeds or fails as <paramref name="Act"/> says.</summary>
    /// <param name="Number">Its topic.</param>
    /// <param name="Act">What the handler does.</param>
    /// <param name="IsIdempotent">What the contract says.</param>
    public sealed record Request(int Number, Act Act, bool IsIdempotent) : Node
    {
        public string Topic => Act.Kind == ActKind.Unhandled ? "oracle.unhandled" : $"oracle.leaf{Number}";

        public override Composition<int, int> Build(Stage stage) => stage.Topic(this);
    }

    /// <summary>A local function.</summary>
    public sealed record Local(int Number, Act Act) : Node
    {
        public string Name => $"local{Number}";

        public override Composition<int, int> Build(Stage stage) =>
            Compose.Lambda(async (int x, CancellationToken _) =>
            {
                await Task.Yield();
                return stage.Run(Number, Act, x);
            }, Name);
    }

    /// <summary>A step that never ends by itself.</summary>
    public sealed record Hang : Node
    {
        public override Composition<int, int> Build(Stage stage) => Compose.Lambda(async (int x, CancellationToken token) =>
        {
            await Task.Delay(Timeout.Infinite, token);
            return x;
        }, "hang");
    }

    public sealed record Fail(int Status) : Node
    {
        public override Composition<int, int> Build(Stage stage) => Compose.Fail((StatusCode)Status, "Told to fail.", "told");
    }

    public sealed record Pipe(Node First, Node Second) : Node
    {
        public override int Steps => First.Steps + Second.Steps;

        public override Composition<int, int> Build(Stage stage) => First.Build(stage) | Second.Build(stage);
    }

    public sealed record AndAnd(Node First, Node Second) : Node
    {
        public override Composition<int, int> Build(Stage stage) => First.Build(stage).AndAnd(Second.Build(stage));
    }

    public sealed record OrOr(Node First, Node Second) : Node
    {
        public override Composition<int, int> Build(Stage stage) => First.Build(stage).OrOr(Second.Build(stage));
    }

    public sealed record Batch(Node[] Children) : Node
    {
        public override Composition<int, int> Build(Stage stage) => Compose.Batch(Children.Select(child => child.Build(stage)));
    }

    public sealed record Parallel(Node[] Children, int MaxConcurrency) : Node
    {
        public override int Steps => 2;

        public override Composition<int, int> Build(Stage stage) =>
            Compose.Parallel(MaxConcurrency, Children.Select(child => child.Build(stage))).Pipe(Fold, "fold");
    }

    /// <summary>A record, or with a concurrency a settle.</summary>
    public sealed record Settle(Node[] Children, int? MaxConcurrency) : Node
    {
        public override int Steps => 2;

        public override Composition<int, int> Build(Stage stage)
        {
            var children = Children.Select(child => child.Build(stage));
            return (MaxConcurrency is { } most ? Compose.Settle(most, children) : Compose.Record(children)).Pipe(FoldReplies, "fold");
        }
    }

    public sealed record ForEach(Node Body, int Count, int MaxConcurrency, bool IsSettled) : Node
    {
        public override int Steps => 3;

        public override Composition<int, int> Build(Stage stage)
        {
            var items = Compose.Lambda((int x) => Items(x, Count), "items");
            return IsSettled
                ? items | Body.Build(stage).EachSettled(MaxConcurrency).Pipe(FoldReplies, "fold")
                : items | Body.Build(stage).Each(MaxConcurrency).Pipe(Fold, "fold");
        }
    }

    public sealed record Both(Node First, Node Second) : Node
    {
        public override int Steps => 2;

        public override Composition<int, int> Build(Stage stage) =>
            Compose.Both(First.Build(stage), Second.Build(stage)).Pipe(both => Fold([both.First, both.Second]), "fold");
    }

    public sealed record Race(Node[] Children) : Node
    {
        public override Composition<int, int> Build(Stage stage) => Compose.Race(Children.Select(child => child.Build(stage)));
    }

    public sealed record Keep(Node Body) : Node
    {
        public override int Steps => 2;

        public override Composition<int, int> Build(Stage stage) =>
            Body.Build(stage).Keep().Pipe(kept => Fold([kept.Input, kept.Output]), "fold");
    }

    public sealed record Tee(Node Body, Node Side) : Node
    {
        public override Composition<int, int> Build(Stage stage) => Body.Build(stage).Tee(Side.Build(stage));
    }

    public sealed record Merge(Node Body, int With) : Node
    {
        public override Composition<int, int> Build(Stage stage) => Body.Build(stage).Merge(x => Mix(x, With));
    }

    /// <summary>The first for an even input, the second for an odd one.</summary>
    public sealed record Choose(Node Even, Node Odd) : Node
    {
        public override Composition<int, int> Build(Stage stage)
        {
            var (even, odd) = (Even.Build(stage), Odd.Build(stage));
            return Compose.Choose((int x) => x % 2 == 0 ? even : odd);
        }
    }

    /// <summary>The alternative for an even status; for an odd one the failure stands. It may end with the failure in any case.</summary>
    public sealed record Recover(Node Body, Node Alternative, bool Compensates) : Node
    {
        public override Composition<int, int> Build(Stage stage)
        {
            var alternative = Alternative.Build(stage);
            return Body.Build(stage).Recover(
                failure => (int)failure.Status % 2 != 0 ? null
                    : Compensates ? alternative.AndAnd(Compose.Fail(failure))
                    : alternative);
        }
    }

    public sealed record Within(Node Body, TimeSpan Timeout) : Node
    {
        public override Composition<int, int> Build(Stage stage) => Body.Build(stage).Within(Timeout);
    }

    /// <summary>Options that say that all may run twice.</summary>
    public sealed record Idempotent(Node Body) : Node
    {
        public override Composition<int, int> Build(Stage stage) => Body.Build(stage).With(new() { IsIdempotent = true });
    }

    /// <summary>Repeats what is transient, or everything that may be repeated.</summary>
    public sealed record Retry(Node Body, int Attempts, bool Always) : Node
    {
        public override Composition<int, int> Build(Stage stage) =>
            Body.Build(stage).Retry(Attempts, when: Always ? _ => true : null);
    }

    /// <summary>A function that tries the first, and then executes the second with what came of it.</summary>
    public sealed record Script(Node First, Node Second) : Node
    {
        public override Composition<int, int> Build(Stage stage)
        {
            var (first, second) = (First.Build(stage), Second.Build(stage));
            return Compose.Step(async (int x, StepContext step) =>
            {
                var tried = await step.TryExecuteAsync(first, x);
                return await step.ExecuteAsync(second, tried.IsSuccess ? tried.Value : (int)tried.Status);
            });
        }
    }

    private static int FoldReplies(Reply<int>[] replies) =>
        Fold(replies.Select(reply => ((int)reply.Status, reply.IsSuccess ? reply.Value : -1)));
}

/// <summary>What a handler or a local function does.</summary>
/// <param name="Kind">The kind.</param>
/// <param name="Number">A number to add, a status, or milliseconds, by kind.</param>
/// <param name="Failures">How many calls fail before one succeeds.</param>
public sealed record Act(ActKind Kind, int Number = 0, int Failures = 0)
{
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Kind} {Number} {Failures}");
}

/// <summary>The kinds of <see cref="Act"/>.</summary>
public enum ActKind
{
    /// <summary>Adds the number.</summary>
    Adds,

    /// <summary>There is no handler.</summary>
    Unhandled,

    /// <summary>Fails with the status.</summary>
    Fails,

    /// <summary>Answers with the input and 409.</summary>
    FailsWithValue,

    /// <summary>Fails with the status until it has been called often enough.</summary>
    FailsAtFirst,

    /// <summary>Throws.</summary>
    Throws,

    /// <summary>Time passes.</summary>
    Ticks,

    /// <summary>The caller cancels.</summary>
    Cancels,

    /// <summary>Fails with the status, without a trace in the log: it may be cancelled before it runs.</summary>
    FailsQuietly,
}
