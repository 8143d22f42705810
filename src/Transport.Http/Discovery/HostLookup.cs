using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Net;

namespace ServiceMesh.Http;

/// <summary>
/// Looks up the hosts of one group. What could not be looked up, be it a host or one address family of it, stays as it was known last.
/// </summary>
internal sealed class HostLookup(IDnsLookup dns, TimeProvider clock, LeftOut leftOut)
{
    private const int AtOnce = 8;

    // How long the hosts that have addresses wait for the others: as long as an address family does.
    private static readonly TimeSpan s_patience = TimeSpan.FromMilliseconds(50);

    // How long a host may be silent before the next one is asked beside it.
    private static readonly TimeSpan s_turn = TimeSpan.FromMilliseconds(500);

    // A host that failed beside others is asked again then, however long the others hold.
    private static readonly Holds s_failed = Holds.Always with { Absence = TimeSpan.FromSeconds(30) };

    private ConcurrentDictionary<string, ImmutableArray<IPAddress>> _known = NewHosts();

    /// <summary>Looks up each host once. When one has addresses, the others are waited for a moment and no longer.</summary>
    /// <param name="hosts">The hosts.</param>
    /// <param name="hasOthers">Whether the group has servers without these hosts: then none of them is waited for or needed.</param>
    /// <param name="cancellationToken">Ends the lookups, and what of them is late.</param>
    /// <exception cref="DnsLookupException">Nothing was found, and a host could not be looked up.</exception>
    public async Task<FoundHosts> FindAsync(IEnumerable<string> hosts, bool hasOthers, CancellationToken cancellationToken)
    {
        string[] names = [.. hosts.Distinct(StringComparer.OrdinalIgnoreCase)];
        var turns = names.Length > AtOnce ? new SemaphoreSlim(AtOnce) : null;
        var round = new Round(NewHosts(), _known, turns, new(TaskCreationOptions.RunContinuationsAsynchronously));
        foreach (var name in names)
        {
            if (round.Before.TryGetValue(name, out var known))
            {
                round.Found[name] = known;
            }
        }

        Task<Joined>[] asking = [.. names.Select(name => AskAsync(name, round, cancellationToken))];
        var all = Task.WhenAll(asking);
        var enough = hasOthers ? Task.CompletedTask : names.Length == 1 ? all : Task.WhenAny(all, round.First.Task);
        await enough.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await ((Task)all).WaitAsync(s_patience, clock, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        cancellationToken.ThrowIfCancellationRequested();
        var late = asking.Where(a => !a.IsCompleted).ToList();
        var ended = await Task.WhenAll(asking.Except(late)).ConfigureAwait(false);
        var failure = ended.Select(e => e.Failure).FirstOrDefault(f => f is not null);
        var hasNone = ended.All(e => e.Failure is not null) || round.Found.Values.All(a => a.IsEmpty);
        if (failure is not null && !hasOthers && late.Count == 0 && hasNone)
        {
            throw new DnsLookupException(failure.Message, failure);
        }

        _known = round.Found;
        return new(
            round.Found,
            ended.Aggregate(Holds.Always, (holds, e) => holds.And(e.Holds ?? Holds.Always)),
            [.. late, .. ended.Select(e => e.Rest).OfType<Task<Joined>>()]);
    }

    // It does not throw: it may come after the others.
    private async Task<Joined> AskAsync(string host, Round round, CancellationToken cancellationToken)
    {
        try
        {
            var answer = await (round.Turns is { } turns
                ? TakeTurnAsync(host, turns, cancellationToken)
                : dns.FindAddressesAsync(host, cancellationToken)).ConfigureAwait(false);
            var known = round.Before.GetValueOrDefault(host, []);
            round.Found[host] = answer.Late is null ? answer.Records : WithOtherFamily(answer.Records, known);
            if (!answer.Records.IsEmpty)
            {
                round.First.TrySetResult();
            }

            return new(Holds.Of(answer), answer.Late is { } rest ? JoinAsync(round.Found, host, answer.Records, rest) : null);
        }
        catch (Exception failure) when (failure is DnsLookupException or ArgumentException)
        {
            if (!round.Before.ContainsKey(host))
            {
                leftOut.Add(failure.Message);
            }

            return new(s_failed) { Failure = failure };
        }
        catch (OperationCanceledException)
        {
            return new(null);
        }
    }

    private async Task<DnsAnswer<IPAddress>> TakeTurnAsync(string host, SemaphoreSlim turns, CancellationToken cancellationToken)
    {
        await turns.WaitAsync(cancellationToken).ConfigureAwait(false);
        Task<DnsAnswer<IPAddress>> asked;
        try
        {
            asked = dns.FindAddressesAsync(host, cancellationToken);
            await ((Task)asked).WaitAsync(s_turn, clock, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
        finally
        {
            turns.Release();
        }

        return await asked.ConfigureAwait(false);
    }

    private static async Task<Joined> JoinAsync(
        ConcurrentDictionary<string, ImmutableArray<IPAddress>> hosts, string host, ImmutableArray<IPAddress> first,
        Task<DnsAnswer<IPAddress>> late)
    {
        try
        {
            var answer = await late.ConfigureAwait(false);
            hosts[host] = [.. first, .. answer.Records];
            return new(answer.Records.IsEmpty ? Holds.Always : Holds.Of(answer));
        }
        catch (Exception failure) when (failure is DnsLookupException or OperationCanceledException)
        {
            return new(null);
        }
    }

    private static ImmutableArray<IPAddress> WithOtherFamily(ImmutableArray<IPAddress> records, ImmutableArray<IPAddress> before) =>
        [.. records, .. before.Where(b => records.All(r => r.AddressFamily != b.AddressFamily))];

    private static ConcurrentDictionary<string, ImmutableArray<IPAddress>> NewHosts() => new(StringComparer.OrdinalIgnoreCase);

    /// <summary>One round of lookups.</summary>
    /// <param name="Found">The addresses, at first as they were known last.</param>
    /// <param name="Before">The addresses that were known last.</param>
    /// <param name="Turns">How many are asked at once; null when all may be.</param>
    /// <param name="First">Ends when a host has addresses.</param>
    private sealed record Round(
        ConcurrentDictionary<string, ImmutableArray<IPAddress>> Found,
        ConcurrentDictionary<string, ImmutableArray<IPAddress>> Before,
        SemaphoreSlim? Turns,
        TaskCompletionSource First);
}

/// <summary>A host or an address family of one that is among the addresses now.</summary>
/// <param name="Holds">How long it holds; null when it says nothing.</param>
/// <param name="Rest">Ends when the host's other address family has joined, when that is late; otherwise null.</param>
internal sealed record Joined(Holds? Holds, Task<Joined>? Rest = null)
{
    /// <summary>Why the host could not be looked up; null when it was.</summary>
    public Exception? Failure { get; init; }
}

/// <summary>The addresses of hosts, of which some may still come. Thread-safe.</summary>
/// <param name="hosts">By name.</param>
/// <param name="holds">How long this holds.</param>
/// <param name="late">Each ends when a host or an address family that was late is among the addresses.</param>
internal sealed class FoundHosts(
    ConcurrentDictionary<string, ImmutableArray<IPAddress>> hosts, Holds holds, ImmutableArray<Task<Joined>> late)
{
    public Holds Holds => holds;

    public ImmutableArray<Task<Joined>> Late => late;

    /// <summary>The addresses of a host as they are known now; empty when it has none.</summary>
    public ImmutableArray<IPAddress> AddressesOf(string host) => hosts.GetValueOrDefault(host, []);
}
