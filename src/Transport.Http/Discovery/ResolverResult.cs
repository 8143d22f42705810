using System.Collections.Immutable;

namespace ServiceMesh.Http;

/// <summary>What a resolver found out: addresses and how long they are good, or that it failed. Immutable.</summary>
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

    /// <summary>Why there is no answer: a sentence that names what was asked. Null when there is one.</summary>
    public string? Failure { get; }

    /// <summary>An answer. It may be empty: then the source says that there is no server.</summary>
    public static ResolverResult Found(ImmutableArray<ResolvedAddress> addresses, TimeSpan? goodFor = null) => new(addresses, goodFor, null);

    /// <summary>No answer: the last good set stays in use.</summary>
    public static ResolverResult Failed(string failure) => new(default, null, failure);
}
