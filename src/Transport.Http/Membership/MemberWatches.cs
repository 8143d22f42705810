using System.Collections.Immutable;
using System.Runtime.CompilerServices;

namespace ServiceMesh.Http;

/// <summary>
/// The watches of all members: one for each endpoint of each service. A watch begins when an address is found, and ends when the address
/// is gone and other members have taken over. Thread-safe.
/// </summary>
/// <param name="makeWatch">Creates the watch of a member, which ends with the token.</param>
/// <param name="changedAsync">Called after each change. Its task is awaited where that is possible.</param>
/// <param name="handOverTime">How long leaving members stay while the first answers of new members are awaited.</param>
/// <param name="clock">The clock.</param>
internal sealed class MemberWatches(
    Func<Member, CancellationToken, MemberWatch> makeWatch, Func<Task> changedAsync, TimeSpan handOverTime, TimeProvider clock)
    : IAsyncDisposable
{
    private readonly Lock _lock = new();
    private readonly CancellationTokenSource _stopping = new();
    private readonly Dictionary<Endpoint, MemberWatch> _watches = [];
    private readonly List<Task> _ending = [];

    // Kept for each endpoint as long as it is referenced: a request in flight, or a balancer that is older or newer than the routes, may
    // hold an endpoint that is not yet in the list, or has left it.
    private readonly ConditionalWeakTable<Endpoint, Member> _members = [];

    /// <summary>The member of an endpoint; null for this node itself.</summary>
    public Member? MemberOf(Endpoint endpoint) => _members.TryGetValue(endpoint, out var member) ? member : null;

    /// <summary>All members with the last documents of their nodes, ordered by service and address.</summary>
    public ImmutableArray<MemberSnapshot> Snapshot()
    {
        lock (_lock)
        {
            return
            [
                .. _watches.Values.Select(w => new MemberSnapshot(w.Member, w.Member.Document))
                    .OrderBy(s => s.Member.Service.Name, StringComparer.Ordinal)
                    .ThenBy(s => s.Member.Endpoint.ToString(), StringComparer.Ordinal),
            ];
        }
    }

    /// <summary>Replaces the endpoints of a service.</summary>
    public void Replace(Service service, ImmutableArray<Endpoint> endpoints)
    {
        lock (_lock)
        {
            var now = endpoints.ToHashSet();
            MemberWatch[] leaving = [.. _watches.Values.Where(w => w.Member.Service == service && !now.Contains(w.Member.Endpoint))];
            var coming = new List<Task>();
            foreach (var endpoint in endpoints.Where(e => !_watches.ContainsKey(e)))
            {
                var watch = makeWatch(_members.GetValue(endpoint, e => new(service, e)), _stopping.Token);
                _watches[endpoint] = watch;
                watch.Start();
                coming.Add(watch.FirstAnswer);
            }

            if (coming.Count == 0)
            {
                RemoveNeedsLock(leaving);
            }
            else if (leaving.Length > 0)
            {
                // Members that left the list may still run, and what the new ones handle is not known yet: the old ones serve until it is.
                _ending.RemoveAll(t => t.IsCompleted);
                _ending.Add(HandOverAsync(leaving, Task.WhenAll(coming)));
            }
        }

        _ = changedAsync(); // the resolver need not wait for it
    }

    /// <summary>Another node has contacted this one: members that were unreachable may be reachable now.</summary>
    public void PeerSeen(string watcher)
    {
        lock (_lock)
        {
            var isKnown = _watches.Values.Select(w => w.Member)
                .Any(m => m.IsReachable && m.Document is { } d && watcher.StartsWith(d.Id + ".", StringComparison.Ordinal));
            if (isKnown)
            {
                return;
            }

            foreach (var watch in _watches.Values.Where(w => w.Member.Document is null || !w.Member.IsReachable))
            {
                watch.ProbeNow();
            }
        }
    }

    /// <summary>A request to the endpoint failed: the endpoint is probed at once.</summary>
    public void ProbeNow(Endpoint endpoint)
    {
        lock (_lock)
        {
            if (_watches.TryGetValue(endpoint, out var watch))
            {
                watch.ProbeNow();
            }
        }
    }

    /// <summary>Completes when each present member has answered or failed once.</summary>
    public Task FirstAnswersAsync()
    {
        lock (_lock)
        {
            return Task.WhenAll(_watches.Values.Select(w => w.FirstAnswer));
        }
    }

    /// <summary>Ends all watches without waiting for them.</summary>
    public Task EndAllAsync() => _stopping.CancelAsync();

    /// <summary>Completes when all watches have ended. No member may be added from then on.</summary>
    public async ValueTask DisposeAsync()
    {
        await EndAllAsync().ConfigureAwait(false);
        Task[] loops;
        lock (_lock)
        {
            loops = [.. _watches.Values.Select(w => w.Ended), .. _ending];
        }

        // A failed watch must not keep the node from stopping.
        await Task.WhenAll(loops).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _stopping.Dispose();
    }

    private async Task HandOverAsync(MemberWatch[] leaving, Task successorsAnswered)
    {
        await successorsAnswered.WaitAsync(handOverTime, clock, _stopping.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        lock (_lock)
        {
            RemoveNeedsLock(leaving);
        }

        await changedAsync().WaitAsync(_stopping.Token).ConfigureAwait(false);
    }

    private void RemoveNeedsLock(MemberWatch[] leaving)
    {
        foreach (var watch in leaving)
        {
            _watches.Remove(watch.Member.Endpoint);
            _ending.RemoveAll(t => t.IsCompleted);
            _ending.Add(watch.Ended);
            watch.End();
        }
    }
}
