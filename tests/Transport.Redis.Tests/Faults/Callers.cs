using System.Collections.Concurrent;
using System.Diagnostics;
using NUnit.Framework;

namespace ServiceMesh.Redis.Tests.Faults;

/// <summary>How one request ended.</summary>
/// <param name="Number">What was sent.</param>
/// <param name="Status">Of its reply.</param>
/// <param name="Took">Until the caller had it.</param>
/// <param name="Value">What came back.</param>
/// <param name="Began">When it was sent, as a timestamp.</param>
internal sealed record Outcome(int Number, StatusCode Status, TimeSpan Took, string? Value, long Began);

/// <summary>
/// Callers that each send one request after the other, numbered without gaps, until they are stopped or all are sent.
/// </summary>
internal sealed class Callers
{
    // A node that is not connected refuses at once; nothing is learned from a million of those.
    private static readonly TimeSpan s_pauseAfterFailure = TimeSpan.FromMilliseconds(20);

    private readonly IServiceBus _bus;
    private readonly RequestTopic<int, string> _topic;
    private readonly int _most;
    private readonly Task _all;
    private readonly ConcurrentQueue<Outcome> _outcomes = new();
    private readonly ConcurrentDictionary<int, bool> _open = new();
    private volatile bool _stopping;
    private int _started;
    private int _succeeded;
    private int _failed;

    private Callers(IServiceBus bus, RequestTopic<int, string> topic, int callers, int most)
    {
        (_bus, _topic, _most) = (bus, topic, most);
        _all = Task.WhenAll(Enumerable.Range(0, callers).Select(_ => Task.Run(CallAsync)));
    }

    /// <summary>How many requests were begun.</summary>
    public int Started => Math.Min(Volatile.Read(ref _started), _most);

    /// <summary>Those that were begun and have not ended.</summary>
    public IEnumerable<int> Open => _open.Keys;

    public int Succeeded => Volatile.Read(ref _succeeded);

    public int Failed => Volatile.Read(ref _failed);

    public static Callers Start(IServiceBus bus, RequestTopic<int, string> topic, int callers, int most = int.MaxValue) =>
        new(bus, topic, callers, most);

    /// <summary>Waits until all requests that were begun have ended, or long enough to know that they do not.</summary>
    public async Task<Outcome[]> StopAsync()
    {
        _stopping = true;
        return await EndAsync(TimeSpan.FromMinutes(1), ConfigureAwaitOptions.SuppressThrowing);
    }

    /// <summary>Waits until all requests have been sent and have ended.</summary>
    public Task<Outcome[]> EndAsync() => EndAsync(TimeSpan.FromMinutes(4), ConfigureAwaitOptions.None);

    private async Task<Outcome[]> EndAsync(TimeSpan patience, ConfigureAwaitOptions options)
    {
        await _all.WaitAsync(patience).ConfigureAwait(options);
        Outcome[] outcomes = [.. _outcomes];
        await TestContext.Out.WriteLineAsync(string.Join(", ", outcomes.GroupBy(o => o.Status).OrderBy(g => g.Key)
            .Select(g => $"{(int)g.Key}: {g.Count()} within {g.Max(o => o.Took).TotalSeconds:0.00} s")));
        return outcomes;
    }

    private async Task CallAsync()
    {
        while (!_stopping && Interlocked.Increment(ref _started) is var number && number <= _most)
        {
            _open[number] = true;
            var began = Stopwatch.GetTimestamp();
            var reply = await _bus.TryRequestAsync(_topic, number);
            _outcomes.Enqueue(new(number, reply.Status, Stopwatch.GetElapsedTime(began), reply.Value, began));
            _open.TryRemove(number, out _);
            if (reply.IsSuccess)
            {
                Interlocked.Increment(ref _succeeded);
            }
            else
            {
                Interlocked.Increment(ref _failed);
                await Task.Delay(s_pauseAfterFailure);
            }
        }
    }
}
