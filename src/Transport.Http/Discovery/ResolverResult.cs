using System.Collections.Immutable;

namespace ServiceMesh.Http;

/// <summary>The result of a resolver: addresses and how long they are valid, or a failure. Immutable.</summary>
public sealed class ResolverResult
{
    private ResolverResult(ImmutableArray<ResolvedAddress> addresses, TimeSpan? goodFor, string? failure)
    {
        Addresses = addresses;
        GoodFor = goodFor;
        Failure = failure;
    }

    /// <summary>The addresses; default (not empty) after a failure.</summary>
    public ImmutableArray<ResolvedAddress> Addresses { get; }

    /// <summary>How long the resolver keeps them before it asks again; null when they hold until something tells it.</summary>
    public TimeSpan? GoodFor { get; }

    /// <summary>Why the resolver failed: a sentence that names the question. Null if it did not fail.</summary>
    public string? Failure { get; }

    /// <summary>The addresses that were found. They may be empty: then the source says that the service has no server.</summary>
    public static ResolverResult Found(ImmutableArray<ResolvedAddress> addresses, TimeSpan? goodFor = null) =>
        new(addresses, goodFor, null);

    /// <summary>The resolver failed: the last good set stays in use.</summary>
    public static ResolverResult Failed(string failure) => new(default, null, failure);
}
