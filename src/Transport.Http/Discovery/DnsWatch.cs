using System.Collections.Immutable;
using System.Runtime.CompilerServices;

namespace ServiceMesh.Http;

/// <summary>
/// What the resolvers over the DNS share: ask, wait until the answer no longer holds, ask again. A host or an address family that comes
/// late joins while it waits. When nothing that was found can be called, it asks again at once, at most once a second.
/// </summary>
internal abstract class DnsWatch : IResolver
{
    /// <summary>A group has at most so many servers in its records.</summary>
    private const int MostServers = 1000;

    private TaskCompletionSource _askAgain = NewSignal();

    protected DnsWatch(AddressGroup group, ResolverContext context)
    {
        (Group, Context, LeftOut) = (group, context, new(context.Logger, group.Text));
        Hosts = new(context.Dns, context.Clock, LeftOut);
    }

    protected AddressGroup Group { get; }

    protected ResolverContext Context { get; }

    protected HostLookup Hosts { get; }

    protected LeftOut LeftOut { get; }

    public async IAsyncEnumerable<ResolverResult> WatchAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        for (var failures = 0; ;)
        {
            using var round = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            var asked = Context.Clock.GetTimestamp();
            var (resolution, failure) = await AskAsync(round.Token).ConfigureAwait(false);
            failures = failure is null ? 0 : failures + 1;
            var wait = resolution?.Holds.Wait(Context.Random) ?? RefreshTime.AfterFailure(failures, Context.Random);
            var found = Context.Clock.GetTimestamp();
            var late = resolution?.Late.ToList() ?? [];
            Volatile.Write(ref _askAgain, NewSignal()); // who asked for this answer before it came has it now
            try
            {
                ReportWhenAllEnded();
                yield return failure is null ? ResolverResult.Found(resolution!.Addresses(), wait) : ResolverResult.Failed(failure);
                while (await WaitAsync(Left(), late, cancellationToken).ConfigureAwait(false) is { } joined)
                {
                    late.Remove(joined);
                    var (joins, rest) = await joined.ConfigureAwait(false);
                    late.AddRange(rest is null ? [] : [rest]);
                    ReportWhenAllEnded();
                    if (joins is { } holds)
                    {
                        var (left, mine) = (Left(), holds.Wait(Context.Random));
                        (wait, found) = (mine < left ? mine : left, Context.Clock.GetTimestamp());
                        yield return ResolverResult.Found(resolution!.Addresses(), wait);
                    }
                }

                TimeSpan Left() => wait - Context.Clock.GetElapsedTime(found);

                void ReportWhenAllEnded()
                {
                    if (late.Count == 0)
                    {
                        LeftOut.Report();
                    }
                }
            }
            finally
            {
                await round.CancelAsync().ConfigureAwait(false);
                while (late.Count > 0)
                {
                    var joined = await Task.WhenAll(late).ConfigureAwait(false);
                    late = [.. joined.Select(j => j.Rest).OfType<Task<Joined>>()];
                }

                LeftOut.Report();
            }

            if (RefreshTime.Pause - Context.Clock.GetElapsedTime(asked) is var pause && pause > TimeSpan.Zero)
            {
                await Task.Delay(pause, Context.Clock, cancellationToken).ConfigureAwait(false);
            }
        }
    }

    /// <inheritdoc/>
    public void AskAgain() => Volatile.Read(ref _askAgain).TrySetResult();

    /// <summary>Asks once.</summary>
    /// <param name="cancellationToken">Ends it, and what of it is late.</param>
    /// <exception cref="DnsLookupException">No server answered.</exception>
    /// <exception cref="FormatException">There are records, and none of them can be used.</exception>
    protected abstract Task<Resolution> ResolveAsync(CancellationToken cancellationToken);

    /// <summary>
    /// So many as a group may have: the lowest priorities, and within one by name, so that each answer leaves the same out.
    /// </summary>
    protected T[] Bounded<T>(IEnumerable<T> servers, Func<T, int> priority, Func<T, string> name)
    {
        T[] all = [.. servers];
        if (all.Length <= MostServers)
        {
            return all;
        }

        LeftOut.Add($"It has {all.Length} servers, and the first {MostServers} are used.");
        return [.. all.OrderBy(priority).ThenBy(name, StringComparer.OrdinalIgnoreCase).Take(MostServers)];
    }

    private async Task<(Resolution? Resolution, string? Failure)> AskAsync(CancellationToken cancellationToken)
    {
        try
        {
            return (await ResolveAsync(cancellationToken).ConfigureAwait(false), null);
        }
        catch (Exception failure) when (failure is DnsLookupException or FormatException or ArgumentException)
        {
            return (null, $"The address '{Group}' was not resolved. {failure.Message}");
        }
    }

    // Null when it is time to ask again.
    private async Task<Task<Joined>?> WaitAsync(TimeSpan wait, List<Task<Joined>> late, CancellationToken cancellationToken)
    {
        if (wait <= TimeSpan.Zero)
        {
            return null;
        }

        using var over = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var waited = Task.Delay(wait, Context.Clock, over.Token);
        var ended = await Task.WhenAny([.. late, Volatile.Read(ref _askAgain).Task, waited]).ConfigureAwait(false);
        await over.CancelAsync().ConfigureAwait(false);
        cancellationToken.ThrowIfCancellationRequested();
        return ended as Task<Joined>;
    }

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>What was found.</summary>
    /// <param name="Addresses">The servers as they are known now: more, when a host or an address family has joined.</param>
    /// <param name="Holds">How long that holds.</param>
    /// <param name="Late">Each ends when a host or an address family has joined.</param>
    protected sealed record Resolution(Func<ImmutableArray<ResolvedAddress>> Addresses, Holds Holds, ImmutableArray<Task<Joined>> Late);
}
