using System.Collections.Immutable;
using System.Runtime.CompilerServices;

namespace ServiceMesh.Http;

/// <summary><c>static:</c>, <c>http:</c> and <c>https:</c>: the addresses are written in the configuration and never change.</summary>
internal sealed class StaticResolver(ImmutableArray<ResolvedAddress> addresses) : IResolver
{
    /// <summary>A list: <c>static:10.0.0.1:5080;weight=5,10.0.0.2:5080</c>.</summary>
    public static StaticResolver OfList(AddressGroup group)
    {
        try
        {
            var listed = group.Target.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
            return listed.Length > 0
                ? new([.. listed.Select(a => AddressText.Parse(a))])
                : throw new FormatException("it lists no server; write static:host:port,host:port.");
        }
        catch (FormatException failure)
        {
            throw new FormatException($"The address '{group}' cannot be used: {failure.Message}", failure);
        }
    }

    /// <summary>One server: <c>https://weather.internal:5443</c>, or one below a path: <c>https://weather.internal/api</c>.</summary>
    public static StaticResolver OfOne(AddressGroup group) =>
        new([new(group.Host, group.Port) { Tls = group.Scheme == "https", Path = group.Path }]);

    public async IAsyncEnumerable<ResolverResult> WatchAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        yield return ResolverResult.Found(addresses);
        await Task.Delay(Timeout.InfiniteTimeSpan, cancellationToken).ConfigureAwait(false);
    }
}
