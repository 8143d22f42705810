using ServiceMesh;

namespace Snippets;

public static class Retries
{
    #region retry
    // A fetch may run twice. The contract says so to all callers.
    public static readonly RequestTopic<string, Reading[]> Fetch = new("weather.fetch") { IsIdempotent = true };

    public static async Task<Reading[]> FetchAsync(IServiceBus bus, string city, CancellationToken cancellationToken)
    {
        var options = new RequestOptions
        {
            Timeout = TimeSpan.FromSeconds(2),
            Retry = new() { Attempts = 4, AttemptTimeout = TimeSpan.FromMilliseconds(500), HedgeAfter = TimeSpan.FromMilliseconds(200) },
        };
        return await bus.RequestAsync(Fetch, city, options, cancellationToken);
    }
    #endregion
}
