using System.Collections.Immutable;
using System.Runtime.CompilerServices;

namespace ServiceMesh.Http;

/// <summary>
/// Who is watched: one watch for each endpoint of each service, begun when an address comes and ended when it has left and
/// others have taken over. Thread-safe.
/// </summary>
/// <param name="makeWatch">Makes the watch of a member, which ends with the token.</param>
/// <param name="changedAsync">Told of each change; what it returns is awaited where somebody can.</param>
/// <param name="patience">How long those who leave wait for the first answer of those who come.</param>
/// <param name="clock">The clock.</param>
internal sealed class Roster(Func<Member, CancellationToken, MemberWatch> makeWatch, Func<Task> changedAsync, TimeSpan patience, TimeProvider clock) : IAsyncDisposable
{
    private readonly Lock _lock = new();
    private readonly CancellationTokenSource _stopping = new();
    private readonly Dictionary<Endpoint, MemberWatch> _watches = [];
    private readonly List<Task> _ending = [];

    // Of each endpoint for as long as anybody has it: a request on its way, or a balancer that knows more or less than the
    // routes do, may hold one that is not in the list yet or any more.
    private readonly ConditionalWeakTable<Endpoint, Member> _members = [];

    /// <summary>What is known of an endpoint; null for this node itself.</summary>
    public Member? MemberOf(Endpoint endpoint) => _members.TryGetValue(endpoint, out var member) ? member : null;

    /// <summary>All members with what their nodes said last, by service and address.</summary>
    public ImmutableArray<Sighting> Look()
    {
        lock (_lock)
        {
            return
            [
                .. _watches.Values.Select(w => new Sighting(w.Member, w.Member.Document))
                    .OrderBy(s => s.Member.Service.Name, StringComparer.Ordinal).ThenBy(s => s.Member.Endpoint.ToString(), StringComparer.Ordinal),
            ];
        }
    }

    /// <summary>These are the endpoints of a service from now on.</summary>
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
                // Those that left the list may well be there still, and what the new ones handle is not known yet: the old
                // ones serve until it is.
                _ending.RemoveAll(t => t.IsCompleted);
                _ending.Add(RelieveAsync(leaving, Task.WhenAll(coming)));
            }
        }

        _ = changedAsync(); // resolving need not wait for it
    }

    /// <summary>Another node is there: those that were not reachable may be now.</summary>
    public void Met(string watcher)
    {
        lock (_lock)
        {
            if (_watches.Values.Select(w => w.Member).Any(m => m.IsReachable && m.Document is { } d && watcher.StartsWith(d.Id + ".", StringComparison.Ordinal)))
            {
                return;
            }

            foreach (var watch in _watches.Values.Where(w => w.Member.Document is null || !w.Member.IsReachable))
            {
                watch.AskNow();
            }
        }
    }

    /// <summary>A request could not connect there: it is asked at once how it is.</summary>
    public void Suspect(Endpoint endpoint)
    {
        lock (_lock)
        {
            if (_watches.TryGetValue(endpoint, out var watch))
            {
                watch.AskNow();
            }
        }
    }

    /// <summary>Ends when each that is there now has answered or failed to.</summary>
    public Task AskedAllAsync()
    {
        lock (_lock)
        {
            return Task.WhenAll(_watches.Values.Select(w => w.FirstAnswer));
        }
    }

    /// <summary>Ends every watch, and waits for none.</summary>
    public Task EndAllAsync() => _stopping.CancelAsync();

    /// <summary>Ends when every watch has. Nobody may come any more.</summary>
    public async ValueTask DisposeAsync()
    {
        await EndAllAsync().ConfigureAwait(false);
        Task[] loops;
        lock (_lock)
        {
            loops = [.. _watches.Values.Select(w => w.Ended), .. _ending];
        }

        await Task.WhenAll(loops).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing); // how one ended must not keep the node from stopping
        _stopping.Dispose();
    }

    private async Task RelieveAsync(MemberWatch[] leaving, Task successorsAnswered)
    {
        await successorsAnswered.WaitAsync(patience, clock, _stopping.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
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

/// <summary>A member, and what its node had said last when it was looked at.</summary>
internal readonly record struct Sighting(Member Member, NodeDocument? Document);
