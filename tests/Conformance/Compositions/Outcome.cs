namespace ServiceMesh.Conformance.Compositions;

/// <summary>What the oracle expects of a program, and how it goes on from there.</summary>
public sealed record Outcome
{
    public required int Status { get; init; }

    /// <summary>The value of a success.</summary>
    public int Value { get; init; }

    /// <summary>The values of several branches, or their statuses and values.</summary>
    public IReadOnlyList<int> Values { get; init; } = [];

    /// <summary>The step that failed; null for a form, whose name is not compared.</summary>
    public string? Step { get; init; }

    public bool NotProcessed { get; init; }

    /// <summary>Whether what is left of the failed step may run.</summary>
    public bool MayRunAgain { get; init; }

    /// <summary>What stands beside the failing status.</summary>
    public int? Beside { get; init; }

    /// <summary>The index of the failed step.</summary>
    public int Index { get; init; }

    public bool IsRepeatable { get; init; }

    /// <summary>Runs the failed step as a whole, and what follows.</summary>
    public Func<Outcome>? Whole { get; init; }

    /// <summary>Runs the failed step without what succeeded in it, and what follows.</summary>
    public Func<Outcome>? FailedOnly { get; init; }

    public bool IsSuccess => Status < 300;

    public static Outcome Of(int value) => new() { Status = 200, Value = value };

    public static Outcome Of(IEnumerable<int> values) => new() { Status = 200, Values = [.. values] };

    public static Outcome Failed(int status, string? step) => new() { Status = status, Step = step };

    public override string ToString() => IsSuccess
        ? $"200: {Value}"
        : $"{Status} at {Step ?? "a form"}, step {Index}; not processed {NotProcessed}, may run again {MayRunAgain}, "
            + $"repeatable {IsRepeatable}, beside {Beside}";
}
