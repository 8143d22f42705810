using System.Collections.Immutable;
using System.Threading.Channels;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using ServiceMesh.Conformance;

namespace ServiceMesh.Http.Tests;

/// <summary>A group that is watched, with a clock that is moved by hand: a test knows when the watch waits for it.</summary>
internal sealed class Watched : IAsyncDisposable
{
    private readonly Channel<string[]> _sets = Channel.CreateUnbounded<string[]>();
    private readonly WaitingClock _clock;

    private Watched(string address, FakeTimeProvider clock, Func<AddressGroup, ResolverContext, IResolver> create)
    {
        _clock = new(clock);
        var group = AddressGroup.Parse(address, [.. AddressGroup.BuiltInSchemes, "test"]);
        var resolver = create(group, new() { Clock = _clock, Random = new NoJitter(), Dns = null!, Logger = NullLogger.Instance });
        Group = new("weather", group, resolver, _clock, NullLogger.Instance, Publish);
        Group.Start();
    }

    public GroupWatcher Group { get; }

    public static Watched Start(string address, FakeTimeProvider clock, IDnsResolver dns) =>
        new(address, clock, (group, context) => new ResolverKinds([]).Create(group, context with { Dns = dns }));

    public static Watched Start(FakeTimeProvider clock, IResolver resolver) => new("test://x", clock, (_, _) => resolver);

    /// <summary>The next set that was passed on: host, port and what else is unusual.</summary>
    public async Task<string[]> NextAsync() => await _sets.Reader.ReadAsync().AsTask().InTime();

    /// <summary>Ends when the watch waits for the clock.</summary>
    public Task WaitsAsync() => _clock.WaitsAsync();

    public ValueTask DisposeAsync() => Group.DisposeAsync();

    private void Publish(ImmutableArray<Endpoint> endpoints) => _sets.Writer.TryWrite([.. endpoints.Select(e => $"{e}")]);

    /// <summary>No jitter: the draw is always 0.</summary>
    private sealed class NoJitter : Random
    {
        public override double NextDouble() => 0;
    }

    /// <summary>Tells when somebody waits on the clock beneath.</summary>
    private sealed class WaitingClock(FakeTimeProvider clock) : TimeProvider
    {
        private readonly Channel<bool> _waits = Channel.CreateUnbounded<bool>();

        public override long TimestampFrequency => clock.TimestampFrequency;

        public async Task WaitsAsync() => await _waits.Reader.ReadAsync().AsTask().InTime();

        public override long GetTimestamp() => clock.GetTimestamp();

        public override DateTimeOffset GetUtcNow() => clock.GetUtcNow();

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
        {
            var timer = clock.CreateTimer(callback, state, dueTime, period);
            _waits.Writer.TryWrite(true);
            return timer;
        }
    }
}
