namespace ServiceMesh.Http;

/// <summary>The requests of one client that may be under way at once; what is more is refused before it costs anything. Thread-safe.</summary>
/// <param name="most">How many.</param>
internal sealed class ConcurrencyLimit(int most)
{
    private int _running;

    public int Most => most;

    /// <summary>Takes a place, which <see cref="Leave"/> gives back. False when there is none.</summary>
    public bool TryEnter()
    {
        if (Interlocked.Increment(ref _running) <= most)
        {
            return true;
        }

        Leave();
        return false;
    }

    public void Leave() => Interlocked.Decrement(ref _running);
}
