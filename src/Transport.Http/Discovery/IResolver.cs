namespace ServiceMesh.Http;

/// <summary>Finds the addresses of one group and keeps looking. Made by a <see cref="ResolverKind"/>, one for each group.</summary>
/// <example>
/// <code source="samples/Snippets/Discovery.cs" region="resolver" />
/// </example>
public interface IResolver
{
    /// <summary>
    /// Watches the group. The first result comes as soon as there is an answer or a failure; then one each time it was
    /// asked again or changed. A result that repeats the last one is allowed: it says that the addresses are still good.
    /// </summary>
    /// <remarks>
    /// The stream does not end by itself and does not throw for what is wrong outside: that is
    /// <see cref="ResolverResult.Failed"/>, and the resolver tries again. It is read by one reader, once.
    /// </remarks>
    /// <param name="cancellationToken">Ends the watch.</param>
    IAsyncEnumerable<ResolverResult> WatchAsync(CancellationToken cancellationToken);

    /// <summary>
    /// Nothing that was found can be called: a resolver that waits before it asks again should ask now. Default: nothing happens.
    /// </summary>
    /// <remarks>
    /// It is called by any thread, with each request that fails: it must not wait and not throw, and the resolver must limit how often it
    /// asks. The built-in ones over the DNS ask at most once a second.
    /// </remarks>
    void AskAgain()
    {
    }
}
