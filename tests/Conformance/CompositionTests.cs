using Microsoft.Extensions.DependencyInjection;
using NUnit.Framework;
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

    private async Task<MeshNode> StartStepsAsync()
    {
        await StartAsync(mesh => mesh.AddHandler(s_split, (text, _) => text.Split(' ')));
        await StartAsync(mesh => mesh.AddHandler(s_count, (words, _) => words.Length).AddHandler(Ask, Echo));
        await StartAsync(mesh => mesh.AddHandler(s_last, (words, _) => words[^1]));
        return await StartAsync();
    }
}
