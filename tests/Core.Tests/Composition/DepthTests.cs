using NUnit.Framework;

namespace ServiceMesh.Core.Tests;

/// <summary>Compositions that are nested deeply.</summary>
public sealed class DepthTests
{
    [Test]
    public void A_pipe_of_100_000_steps_is_refused_with_a_sentence() =>
        Assert.That(
            () => Enumerable.Range(0, 100_000).Aggregate((Composition<int, int>)Steps.Add1, (pipe, _) => pipe | Steps.Add1),
            Throws.ArgumentException.With.Message.Contains("1000 are allowed").And.Message.Contains("Compose.Step"));

    [Test]
    public async Task A_balanced_pipe_of_100_000_steps_runs()
    {
        await using var node = await Steps.NodeAsync();
        var step = Compose.Lambda((int x) => x + 1);
        var pipe = Pipe(100_000);
        Assert.That(await node.Bus.ExecuteAsync(pipe, 0, new RequestOptions { Timeout = TimeSpan.FromMinutes(5) }), Is.EqualTo(100_000));

        Composition<int, int> Pipe(int count) => count == 1 ? step : Pipe(count / 2) | Pipe(count - (count / 2));
    }

    [TestCaseSource(nameof(Nestings))]
    public void A_form_at_the_greatest_depth_runs_and_fails_on_a_small_stack(
        Func<Composition<int, int>, Composition<int, int>> around)
    {
        var node = Steps.NodeAsync().GetAwaiter().GetResult();
        Exception? thrown = null;

        // The smallest stack that .NET gives its threads by itself.
        var thread = new Thread(
            () =>
            {
                try
                {
                    foreach (var innermost in new[] { Steps.Add1, Steps.Refuse() })
                    {
                        var form = innermost;
                        while (form.Depth < Form.MaxDepth - 10)
                        {
                            form = around(form);
                        }

                        var reply = node.Bus.TryExecuteAsync(form, 1, new RequestOptions { Timeout = TimeSpan.FromMinutes(5) })
                            .GetAwaiter().GetResult();
                        Assert.That(form.ToString(), Is.Not.Empty);
                        if (reply.Resumption is { } rest)
                        {
                            Assert.That(rest.FailedOnly.Remaining, Is.Not.Empty);
                            node.Bus.TryResumeAsync(rest.FailedOnly).GetAwaiter().GetResult();
                        }
                    }
                }
                catch (Exception failure)
                {
                    thrown = failure;
                }
            },
            maxStackSize: 1536 * 1024);
        thread.Start();
        Assert.That(thread.Join(TimeSpan.FromMinutes(2)), Is.True);
        node.DisposeAsync().AsTask().GetAwaiter().GetResult();
        Assert.That(thrown, Is.Null);
    }

    [Test]
    public void Every_form_refuses_what_is_nested_too_deeply()
    {
        Composition<int, int> deep = Steps.Add1;
        while (deep.Depth < Form.MaxDepth)
        {
            deep |= Steps.Add1;
        }

        foreach (var around in Nestings().Select(test => (Func<Composition<int, int>, Composition<int, int>>)test.Arguments[0]!))
        {
            Assert.That(() => around(deep), Throws.ArgumentException.With.Message.Contains("levels deep"));
        }
    }

    private static IEnumerable<TestCaseData> Nestings()
    {
        yield return Case("pipe from the left", form => form | Steps.Add1);
        yield return Case("pipe from the right", form => Steps.Add1 | form);
        yield return Case("and-and", form => form.AndAnd(Steps.Add1));
        yield return Case("or-or", form => form.OrOr(Steps.Refuse()));
        yield return Case("batch", form => Compose.Batch(form));
        yield return Case("parallel", form => Compose.Parallel(form).Pipe(Compose.Lambda((int[] all) => all[0])));
        yield return Case("merge", form => form.Merge(x => x));
        yield return Case("recover", form => form.Recover(_ => null));
        yield return Case("retry", form => form.Retry(1));
        yield return Case("with", form => form.Within(TimeSpan.FromMinutes(5)));
        yield return Case("race", form => Compose.Race(form));
        yield return Case("both", form => Compose.Both(form, Steps.Add1).Pipe(Compose.Lambda(((int First, int) both) => both.First)));
        yield return Case("tee", form => form.Tee(Steps.Add1));

        static TestCaseData Case(string name, Func<Composition<int, int>, Composition<int, int>> around) =>
            new TestCaseData(around).SetArgDisplayNames(name);
    }
}
