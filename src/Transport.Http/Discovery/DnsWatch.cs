using System.Collections.Immutable;
using System.Runtime.CompilerServices;

namespace ServiceMesh.Http;

/// <summary>What the resolvers over the DNS share: ask, wait until the answer is no longer good, ask again.</summary>
internal abstract class DnsWatch(AddressGroup group, ResolverContext context) : IResolver
{
    protected AddressGroup Group { get; } = group;

    protected ResolverContext Context { get; } = context;

    public async IAsyncEnumerable<ResolverResult> WatchAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        for (var failures = 0; ;)
        {
            var result = await AskAsync(cancellationToken).ConfigureAwait(false);
            failures = result.Failure is null ? 0 : failures + 1;
            yield return result;
            var wait = result.GoodFor ?? RefreshTime.AfterFailure(failures, Context.Random);
            await Task.Delay(wait, Context.Clock, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Asks once.</summary>
    /// <exception cref="DnsException">No server could tell.</exception>
    /// <exception cref="FormatException">There are records, and none of them can be used.</exception>
    protected abstract Task<(ImmutableArray<ResolvedAddress> Addresses, TimeSpan TimeToLive)> ResolveAsync(CancellationToken cancellationToken);

    private async Task<ResolverResult> AskAsync(CancellationToken cancellationToken)
    {
        try
        {
            var (addresses, timeToLive) = await ResolveAsync(cancellationToken).ConfigureAwait(false);
            return ResolverResult.Found(addresses, RefreshTime.AfterAnswer(timeToLive, Context.Random));
        }
        catch (Exception failure) when (failure is DnsException or FormatException or ArgumentException)
        {
            return ResolverResult.Failed($"The address '{Group}' was not resolved. {failure.Message}");
        }
    }
}
