using System.Diagnostics;
using System.Globalization;
using System.Runtime.CompilerServices;
using Microsoft.Extensions.DependencyInjection;
using NUnit.Framework;
using static ServiceMesh.Conformance.Contracts;

namespace ServiceMesh.Conformance;

/// <summary>Handlers start with a clean execution context: nothing of the code that started the node or sent the message.</summary>
public abstract class ContextTests<TFactory> : ConformanceFixture<TFactory>
    where TFactory : TransportFactory, new()
{
    private static readonly AsyncLocal<object?> s_ambient = new();
    private static readonly RequestTopic<string, string> s_first = new("conformance.context.first");
    private static readonly SignalTopic<string> s_group = new("conformance.context.group");

    private readonly List<ServiceProvider> _bare = [];

    [TearDown]
    public async Task StopBareNodesAsync()
    {
        foreach (var provider in _bare)
        {
            await provider.DisposeAsync().AsTask().InTime();
        }

        _bare.Clear();
    }

    [Test]
    public async Task A_request_handler_has_a_clean_context()
    {
        MeshNode caller;
        using (Ambience.Begin())
        {
            await StartAsync(mesh => mesh.AddHandler(Ask, (_, _) => Ambience.Describe()));
            caller = await StartAsync();
            Assert.That(await caller.Bus.RequestAsync(Ask, ""), Is.EqualTo(Ambience.Clean), "within the caller's context");
        }

        Assert.That(await caller.Bus.RequestAsync(Ask, ""), Is.EqualTo(Ambience.Clean), "outside of it");
    }

    [Test]
    public async Task A_handler_that_waited_for_its_turn_has_a_clean_context()
    {
        var held = new Held();
        using var ambience = Ambience.Begin();
        await StartAsync(
            mesh => mesh.AddHandler(
                Ask, async (input, context) =>
                {
                    var found = Ambience.Describe();
                    await held.HandleAsync(input, context);
                    return found;
                },
                options => (options.MaxConcurrency, options.MaxQueued) = (1, 10)));
        var caller = await StartAsync();

        var asking = Enumerable.Range(0, 3).Select(_ => caller.Bus.RequestAsync(Ask, "")).ToArray();
        await held.EnteredAsync();
        held.Release();

        Assert.That(await Task.WhenAll(asking), Is.All.EqualTo(Ambience.Clean));
    }

    [Test]
    public async Task Signal_handlers_have_a_clean_context()
    {
        var inbox = new Inbox<string>();
        using var ambience = Ambience.Begin();
        await StartAsync(mesh => mesh
            .AddHandler(News, (_, context) => inbox.ReceiveAsync(Ambience.Describe(), context))
            .AddHandler(s_group, (_, context) => inbox.ReceiveAsync(Ambience.Describe(), context), o => o.Group = "workers"));
        var sender = await StartAsync();

        await sender.Bus.SignalAsync(News, "");
        await sender.Bus.SignalAsync(s_group, "");

        Assert.That(await inbox.NextAsync(2), Is.All.EqualTo(Ambience.Clean));
    }

    [Test]
    public async Task A_handler_that_was_subscribed_at_run_time_has_a_clean_context()
    {
        var server = await StartAsync();
        var caller = await StartAsync();
        using var ambience = Ambience.Begin();
        await using var subscription = await server.Bus.SubscribeAsync(s_first, (_, _) => Task.FromResult(Ambience.Describe()));
        await Failsafe.UntilAsync(async () => (await caller.Bus.TryRequestAsync(s_first, "")).IsSuccess);

        Assert.That(await caller.Bus.RequestAsync(s_first, ""), Is.EqualTo(Ambience.Clean));
    }

    [Test]
    public async Task What_a_handler_makes_current_is_gone_for_the_next_one()
    {
        await StartAsync(mesh => mesh.AddHandler(Ask, (_, _) =>
        {
            var found = Ambience.Describe();
            s_ambient.Value = "left behind";
            CultureInfo.CurrentCulture = Ambience.Culture();
            return found;
        }));
        var caller = await StartAsync();

        for (var i = 0; i < 20; i++)
        {
            Assert.That(await caller.Bus.RequestAsync(Ask, ""), Is.EqualTo(Ambience.Clean));
        }
    }

    [Test]
    public async Task The_caller_keeps_its_own_context()
    {
        await StartAsync(mesh => mesh.AddHandler(Ask, Echo).AddHandler(News, (_, _) => { }));
        var caller = await StartAsync();
        using var ambience = Ambience.Begin();
        var before = Ambience.Describe();

        await caller.Bus.RequestAsync(Ask, "");
        await caller.Bus.TryRequestAsync(Other, "");
        await caller.Bus.SignalAsync(News, "");
        await using (await caller.Bus.SubscribeAsync(s_first, (_, _) => Task.FromResult("")))
        {
            Assert.That(Ambience.Describe(), Is.EqualTo(before));
        }

        Assert.That(Ambience.Describe(), Is.EqualTo(before));
    }

    [Test]
    public async Task A_running_node_keeps_no_value_of_its_starters_and_callers_alive()
    {
        var values = await LiveAsync();

        // What has just ended, such as a timer, may take a moment to let go.
        string[] kept = [];
        for (var attempt = 0; attempt < 100; attempt++)
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
            GC.Collect();
            kept = [.. values.Where(value => value.Value.IsAlive).Select(value => value.Name)];
            if (kept.Length == 0)
            {
                break;
            }

            await Task.Delay(TimeSpan.FromMilliseconds(100));
        }

        Assert.That(kept, Is.Empty, "of 10 MB each");
    }

    // In methods of their own, so that no local variable of the test refers to the values.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private async Task<(string Name, WeakReference Value)[]> LiveAsync()
    {
        var (starter, server) = await WithinAsync(() => StartBareAsync(0));
        var (second, caller) = await WithinAsync(() => StartBareAsync(1));
        await Failsafe.UntilAsync(async () => (await caller.TryRequestAsync(Ask, "")).IsSuccess);
        var (asked, _) = await WithinAsync(() => Task.WhenAll(Enumerable.Range(0, 100).Select(i => caller.RequestAsync(Ask, $"{i}"))));
        var (unheard, _) = await WithinAsync(() => caller.TryRequestAsync(Other, ""));
        var (signalled, _) = await WithinAsync(() => caller.SignalAsync(News, ""));
        var (subscribed, _) = await WithinAsync(() => server.SubscribeAsync(s_first, (_, _) => Task.FromResult("")));
        return
        [
            ("the start of a server", starter), ("the start of a caller", second), ("requests", asked), ("an unheard request", unheard),
            ("a signal", signalled), ("a subscription", subscribed),
        ];
    }

    // Without a host, which keeps the context of its own start.
    private async Task<IServiceBus> StartBareAsync(int number)
    {
        var provider = MakeBare(number, mesh => mesh.AddHandler(Ask, Echo).AddHandler(News, (_, _) => { }));
        _bare.Add(provider);
        await StartBareAsync(provider);
        return provider.GetRequiredService<IServiceBus>();
    }

    // The method that set the value is asynchronous, so that its caller does not see it.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static async Task<(WeakReference Value, T Result)> WithinAsync<T>(Func<Task<T>> act)
    {
        var value = new WeakReference(s_ambient.Value = new byte[10 * 1024 * 1024]);
        var result = await act();
        s_ambient.Value = null;
        return (value, result);
    }

    /// <summary>Values that are current, and that a handler must not see.</summary>
    private sealed class Ambience : IDisposable
    {
        private readonly CultureInfo _culture = CultureInfo.CurrentCulture;
        private readonly Activity _activity = new Activity("ambience").Start();

        public static string Clean { get; } = $"none, {CultureOfPool()}, none";

        public static Ambience Begin()
        {
            var begun = new Ambience();
            s_ambient.Value = "ambient";
            CultureInfo.CurrentCulture = Culture();
            return begun;
        }

        public static string Describe() =>
            $"{s_ambient.Value ?? "none"}, {CultureInfo.CurrentCulture.NumberFormat.NumberDecimalSeparator}, " +
            (IsOfAmbience(Activity.Current) ? "ambience" : "none");

        // Not one of the system's: a test machine may have the invariant culture only.
        public static CultureInfo Culture()
        {
            var culture = (CultureInfo)CultureInfo.InvariantCulture.Clone();
            culture.NumberFormat.NumberDecimalSeparator = "·";
            return culture;
        }

        public void Dispose()
        {
            CultureInfo.CurrentCulture = _culture;
            s_ambient.Value = null;
            _activity.Dispose();
        }

        // Its own span, not one that continues the caller's trace.
        private static bool IsOfAmbience(Activity? current) => current?.OperationName == "ambience";

        // Of a thread that has no context from the one that starts it.
        private static string CultureOfPool()
        {
            var found = "";
            var thread = new Thread(() => found = CultureInfo.CurrentCulture.NumberFormat.NumberDecimalSeparator);
            thread.UnsafeStart();
            thread.Join();
            return found;
        }
    }
}
