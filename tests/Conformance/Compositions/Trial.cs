using NUnit.Framework;

namespace ServiceMesh.Conformance.Compositions;

/// <summary>Runs programs for real and compares what they do with what the oracle says, resumptions included.</summary>
/// <param name="bus">The caller's.</param>
/// <param name="stage">What its handlers do.</param>
/// <param name="interrupts">Whether time may pass in the middle.</param>
public sealed class Trial(IServiceBus bus, Stage stage, bool interrupts)
{
    private const int Resumptions = 3;

    /// <summary>One program, from a seed.</summary>
    public async Task RunAsync(int seed)
    {
        var random = new Random(seed);
        var program = new Generator(random, interrupts).Next(depth: random.Next(1, 6));
        var input = random.Next(100);
        var timeout = interrupts ? TimeSpan.FromMilliseconds(random.Next(1, 30) * 100) : TimeSpan.FromSeconds(20);
        stage.Clear();
        var composition = program.Build(stage);
        var oracle = new Oracle();

        var expected = oracle.Execute(() => oracle.Run(program, input), timeout);
        var actual = await ExecuteAsync(token => bus.TryExecuteAsync(composition, input, Options(timeout), token));
        for (var i = 0; ; i++)
        {
            Compare(expected, actual, oracle, $"seed {seed}, after {i} resumptions of {composition}");
            if (i == Resumptions || expected is null or { IsSuccess: true })
            {
                return;
            }

            var (rest, last) = (actual!.Resumption!, expected);
            if (random.Next(2) == 0)
            {
                expected = oracle.Execute(last.Whole!, timeout);
                actual = await ExecuteAsync(token => bus.TryResumeAsync(rest, Options(timeout), token));
            }
            else
            {
                expected = oracle.Execute(last.FailedOnly!, timeout);
                actual = await ExecuteAsync(token => bus.TryResumeAsync(rest.FailedOnly, Options(timeout), token));
            }
        }
    }

    private static RequestOptions Options(TimeSpan timeout) => new() { Timeout = timeout, Retry = RetryOptions.None };

    // Null when the caller cancelled.
    private async Task<Reply<int>?> ExecuteAsync(Func<CancellationToken, Task<Reply<int>>> execute)
    {
        using var caller = new CancellationTokenSource();
        stage.Caller = caller;
        try
        {
            return await execute(caller.Token).InTime();
        }
        catch (OperationCanceledException) when (caller.IsCancellationRequested)
        {
            return null;
        }
    }

    private void Compare(Outcome? expected, Reply<int>? actual, Oracle oracle, string what)
    {
        Assert.That(Describe(actual, expected?.Step is null), Is.EqualTo(Describe(expected)), what);
        Assert.That(stage.Ran.Order(), Is.EqualTo(oracle.Ran.Order()), what);
    }

    private static string Describe(Outcome? expected) => expected switch
    {
        null => "cancelled",
        { IsSuccess: true } => $"200: {expected.Value}",
        _ => $"{expected.Status} at {expected.Step ?? "a form"}, step {expected.Index}; not processed {expected.NotProcessed}, "
            + $"beside {expected.Beside}, repeatable {expected.IsRepeatable}, failed only {expected.MayRunAgain}",
    };

    private static string Describe(Reply<int>? actual, bool isForm) => actual switch
    {
        null => "cancelled",
        { IsSuccess: true } => $"{(int)actual.Status}: {actual.Value}",
        { Failure: var failure, Resumption: var rest } =>
            $"{(int)actual.Status} at {(isForm ? "a form" : failure.Step)}, step {rest?.StepIndex}; not processed {failure.NotProcessed}, "
            + $"beside {failure.Value}, repeatable {rest?.IsRepeatable}, failed only {rest?.FailedOnly.IsRepeatable}",
    };
}
