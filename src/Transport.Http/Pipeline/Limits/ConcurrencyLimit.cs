namespace ServiceMesh.Http;

/// <summary>Limits the requests of one client that may be in flight. More are refused before they cost anything. Thread-safe.</summary>
/// <param name="max">The maximum number of requests.</param>
internal sealed class ConcurrencyLimit(int max)
{
    private int _running;

    public int Max => max;

    /// <summary>Takes a place, which <see cref="Leave"/> gives back. False if there is none.</summary>
    public bool TryEnter()
    {
        if (Interlocked.Increment(ref _running) <= max)
        {
            return true;
        }

        Leave();
        return false;
    }

    public void Leave() => Interlocked.Decrement(ref _running);
}
