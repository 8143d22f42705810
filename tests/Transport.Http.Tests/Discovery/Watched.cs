using System.Collections.Immutable;
using System.Threading.Channels;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using ServiceMesh.Conformance;

namespace ServiceMesh.Http.Tests;

/// <summary>A group that is watched, with a clock that is moved by hand: a test knows when the watch waits for it.</summary>
internal sealed class Watched : IAsyncDisposable
{
    private readonly Channel<string[]> _sets = Channel.CreateUnbounded<string[]>();
    private readonly WaitingClock _clock;

    private Watched(
        string address, FakeTimeProvider clock, Func<AddressGroup, ResolverContext, IResolver> create,
        double jitter = 0, ILogger? log = null)
    {
        _clock = new(clock);
        var group = AddressGroup.Parse(address, [.. AddressGroup.BuiltInSchemes, "test"]);
        var resolver = create(group, new() { Clock = _clock, Random = new Jitter(jitter), Logger = log ?? NullLogger.Instance });
        Group = new("weather", group, resolver, _clock, NullLogger.Instance, Publish);
        Group.Start();
    }

    public GroupWatcher Group { get; }

    /// <param name="address">The group.</param>
    /// <param name="clock">Moved by the test.</param>
    /// <param name="dns">What is asked.</param>
    /// <param name="jitter">0 for none, 1 for all of it.</param>
    /// <param name="log">What the resolver logs to; null for nowhere.</param>
    public static Watched Start(string address, FakeTimeProvider clock, IDnsLookup dns, double jitter = 0, ILogger? log = null) =>
        new(address, clock, (group, context) => new ResolverKinds([]).Create(group, context with { Dns = dns }), jitter, log);

    public static Watched Start(FakeTimeProvider clock, IResolver resolver) => new("test://x", clock, (_, _) => resolver);

    /// <summary>The next set that was passed on: host, port and what else is unusual.</summary>
    public async Task<string[]> NextAsync() => await _sets.Reader.ReadAsync().AsTask().InTime();

    /// <summary>Ends when the watch waits for the clock.</summary>
    public Task WaitsAsync() => _clock.WaitsAsync();

    /// <summary>Ends when the watch waits for the clock, for this long.</summary>
    public Task WaitsAsync(TimeSpan time) => _clock.WaitsAsync(time);

    public ValueTask DisposeAsync() => Group.DisposeAsync();

    private void Publish(ImmutableArray<Endpoint> endpoints) => _sets.Writer.TryWrite([.. endpoints.Select(e => $"{e}")]);

    private sealed class Jitter(double draw) : Random
    {
        public override double NextDouble() => draw;
    }
}
