using Microsoft.Extensions.DependencyInjection;
using NUnit.Framework;
using ServiceMesh.Conformance.Compositions;
using static ServiceMesh.Conformance.Contracts;

namespace ServiceMesh.Conformance;

/// <summary>Compositions whose steps run on several nodes: one deadline, one token, one outcome.</summary>
public abstract class CompositionTests<TFactory> : ConformanceFixture<TFactory>
    where TFactory : TransportFactory, new()
{
    private static readonly RequestTopic<string, string[]> s_split = new("conformance.split");
    private static readonly RequestTopic<string[], int> s_count = new("conformance.count");
    private static readonly RequestTopic<string[], string> s_last = new("conformance.last");
    private static readonly RequestTopic<string, double> s_left = new("conformance.left");

    [Test]
    public async Task Steps_on_several_nodes_make_one_answer()
    {
        var caller = await StartStepsAsync();
        var composition = s_split | Compose.Parallel(
            s_count.Pipe(n => $"{n}"),
            s_last | Ask,
            s_last.Pipe(w => w.Length.ToString(System.Globalization.CultureInfo.InvariantCulture)));

        Assert.That(await caller.Bus.ExecuteAsync(composition, "the quick brown fox"), Is.EqualTo(["4", "fox", "3"]));
    }

    [Test]
    public async Task One_composition_executed_1000_times_at_once_answers_each_call_correctly()
    {
        var caller = await StartStepsAsync();
        var composition = s_split | Compose.Parallel(s_last, s_count.Pipe(n => $"{n}"));

        var answers = await Task.WhenAll(Enumerable.Range(0, 1000).Select(i => caller.Bus.ExecuteAsync(composition, $"word {i}")));

        Assert.That(answers, Is.EqualTo(Enumerable.Range(0, 1000).Select(i => new[] { $"{i}", "2" })));
    }

    [Test]
    public async Task A_cancelled_composition_cancels_the_handler_of_every_running_step()
    {
        var held = new[] { new Held(), new Held(), new Held() };
        var topics = Enumerable.Range(0, 3).Select(i => new RequestTopic<string, string>($"conformance.held{i}")).ToArray();
        for (var i = 0; i < 3; i++)
        {
            var (topic, handler) = (topics[i], held[i]);
            await StartAsync(mesh => mesh.AddHandler(topic, handler.HandleAsync));
        }

        await StartAsync(mesh => mesh.AddHandler(Ask, Echo));
        var caller = await StartAsync();
        using var cancellation = new CancellationTokenSource();

        // Without the capability the handlers are cancelled at the deadline.
        var timeout = Can(TransportFeatures.Cancellation) ? TimeSpan.FromSeconds(20) : TimeSpan.FromSeconds(2);
        var executing = caller.Bus.ExecuteAsync(
            Ask | Compose.Parallel(topics[0], topics[1], Ask | topics[2]),
            "",
            new RequestOptions { Timeout = timeout },
            cancellation.Token);
        foreach (var handler in held)
        {
            await handler.EnteredAsync();
        }

        await cancellation.CancelAsync();

        await Assert.CatchAsync<OperationCanceledException>(() => executing);
        foreach (var handler in held)
        {
            var left = await handler.Cancelled;
            Assert.That(left, Is.GreaterThan(Can(TransportFeatures.Cancellation) ? TimeSpan.FromSeconds(5) : TimeSpan.FromSeconds(-1)));
        }
    }

    [Test]
    public async Task One_deadline_runs_through_all_steps()
    {
        var held = new Held();
        var first = new RequestTopic<string, string>("conformance.first");
        var spent = TimeSpan.FromMilliseconds(300);
        await StartAsync(mesh => mesh.AddHandler(first, async (string input, HandlerContext _) =>
        {
            await Task.Delay(spent);
            return input;
        }));
        await StartAsync(
            mesh => mesh.AddHandler(s_left, (_, context) => context.Remaining.TotalSeconds).AddHandler(Other, held.HandleAsync));
        var caller = await StartAsync();

        var left = await caller.Bus.ExecuteAsync(first | s_left, "", new RequestOptions { Timeout = TimeSpan.FromSeconds(10) });
        var late = await caller.Bus.TryExecuteAsync(
            first | Compose.Parallel(Other, Other), "", new() { Timeout = TimeSpan.FromSeconds(1) });

        // Timers may fire some milliseconds early.
        Assert.That(left, Is.LessThan(10 - (spent.TotalSeconds - 0.05)), "the time of the first step counts");
        Assert.That((late.Status, late.Failure?.Step), Is.EqualTo((StatusCode.DeadlinePassed, "conformance.other")));
        await held.Cancelled;
    }

    [Test]
    public async Task A_failed_step_is_named_and_the_rest_can_be_resumed()
    {
        var caller = await StartStepsAsync();
        var composition = s_split | s_last | Other | Ask;

        var failed = await caller.Bus.TryExecuteAsync(composition, "the quick brown fox");
        await StartAsync(mesh => mesh.AddHandler(Other, (input, _) => $"{input}es"));
        var resumed = await caller.Bus.TryResumeAsync(failed.Resumption!, null);

        using (Assert.EnterMultipleScope())
        {
            Assert.That((failed.Status, failed.Failure?.Step), Is.EqualTo((StatusCode.NotFound, "conformance.other")));
            Assert.That((failed.Resumption?.StepIndex, failed.Resumption?.Input), Is.EqualTo(((int?)2, (object)"fox")));
            Assert.That(resumed.Value, Is.EqualTo("foxes"));
        }
    }

    [Test]
    public async Task A_parallel_form_has_every_reply_and_the_highest_status()
    {
        await StartAsync(mesh => mesh
            .AddHandler(Ask, Echo)
            .AddHandler(Other, (input, _) => input == "hello" ? throw new ReplyException((StatusCode)409, "Not twice.") : input));
        var caller = await StartAsync();
        var unhandled = new RequestTopic<string, string>("conformance.unhandled");

        var reply = await caller.Bus.TryExecuteAsync(Compose.Parallel(Ask, unhandled, Other, Ask), "hello");

        Assert.That((int)reply.Status, Is.EqualTo(409));
        Assert.That(reply.Failure?.Parts.Select(p => (int)p.Status), Is.EqualTo([200, 404, 409, 200]));
    }

    [Test]
    public async Task A_parallel_of_which_one_branch_ran_was_processed()
    {
        await StartAsync(mesh => mesh.AddHandler(Ask, Echo));
        var caller = await StartAsync();
        var unhandled = new RequestTopic<string, string>("conformance.unhandled");

        var alone = await caller.Bus.TryExecuteAsync(Compose.Parallel(unhandled, unhandled), "hello");
        var beside = await caller.Bus.TryExecuteAsync(Compose.Parallel(Ask, unhandled), "hello");

        using (Assert.EnterMultipleScope())
        {
            Assert.That((alone.Failure?.NotProcessed, alone.Failure?.Kind), Is.EqualTo(((bool?)true, (FailureKind?)FailureKind.NoHandler)));
            Assert.That(
                (beside.Failure?.NotProcessed, beside.Failure?.Kind), Is.EqualTo(((bool?)false, (FailureKind?)FailureKind.HandlerFailed)));
        }
    }

    [Test]
    public async Task Every_form_around_requests_runs_on_several_nodes()
    {
        var news = new Inbox<string>();
        await StartAsync(mesh => mesh.AddHandler(News, (text, _) => news.Put(text)));
        var caller = await StartStepsAsync();
        var size = s_split | s_count;
        var words = s_split | s_last.Keep().Pipe(kept => $"{kept.Output} of {kept.Input.Length}");
        var form = Compose.Both(words.Tee(News), size)
            .Pipe(both => $"{both.First}, {both.Second}")
            | Compose.Choose((string text) => text.Length > 100 ? Other : Ask)
            | Other.Recover(failure => failure.Status == StatusCode.NotFound ? Ask : null)
            | Compose.Step(async (string text, StepContext step) => $"{text}; {await step.ExecuteAsync(Ask, "inside")}")
            | Compose.Race(Other, Ask.Within(TimeSpan.FromSeconds(15))).With(new() { Headers = Headers.Of(("tenant", "t")) })
            | Compose.Settle(Ask, Other).Pipe(all => $"{all[0].Value}; {(int)all[1].Status}");

        var answer = await caller.Bus.ExecuteAsync(form, "the quick brown fox");
        var each = await caller.Bus.ExecuteAsync(s_split | Ask.Each(2), "a b c");
        var settled = await caller.Bus.ExecuteAsync(s_split | Other.EachSettled(2), "a b c");

        using (Assert.EnterMultipleScope())
        {
            Assert.That(answer, Is.EqualTo("fox of 4, 4; inside; 404"));
            Assert.That(await news.NextAsync(), Is.EqualTo("fox of 4"));
            Assert.That(each, Is.EqualTo(["a", "b", "c"]));
            Assert.That(settled.Select(reply => (int)reply.Status), Is.EqualTo([404, 404, 404]));
        }
    }

    [Test]
    public async Task A_race_cancels_the_handler_that_lost()
    {
        var held = new Held();
        await StartAsync(mesh => mesh.AddHandler(Other, held.HandleAsync));
        await StartAsync(mesh => mesh.AddHandler(Ask, Echo));
        var caller = await StartAsync();

        // Without the capability the handler is cancelled at the deadline.
        var timeout = Can(TransportFeatures.Cancellation) ? TimeSpan.FromSeconds(20) : TimeSpan.FromSeconds(2);
        var winner = Compose.Lambda(async (string input, CancellationToken _) =>
        {
            await held.EnteredAsync();
            return input;
        }) | Ask;

        var won = await caller.Bus.ExecuteAsync(Compose.Race(Other, winner), "won", new RequestOptions { Timeout = timeout });

        Assert.That(won, Is.EqualTo("won"));
        await held.Cancelled;
    }

    [Test]
    public async Task Random_compositions_do_what_the_document_says()
    {
        var stage = new Stage();
        await StartAsync(mesh =>
        {
            for (var i = 0; i < Stage.Topics; i++)
            {
                var number = i;
                mesh.AddHandler(Stage.Handled[number], (x, context) => stage.Handle(number, x, context));
            }
        });
        var caller = await StartAsync(null, ("ErrorPolicy", "Ignore"));
        var trial = new Trial(caller.Bus, stage, interrupts: false);

        for (var seed = 0; seed < TestLength.Of(150, 3_000); seed++)
        {
            await trial.RunAsync(seed);
        }
    }

    private async Task<MeshNode> StartStepsAsync()
    {
        await StartAsync(mesh => mesh.AddHandler(s_split, (text, _) => text.Split(' ')));
        await StartAsync(mesh => mesh.AddHandler(s_count, (words, _) => words.Length).AddHandler(Ask, Echo));
        await StartAsync(mesh => mesh.AddHandler(s_last, (words, _) => words[^1]));
        return await StartAsync();
    }
}
