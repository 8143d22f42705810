using ServiceMesh;

namespace Snippets;

public static class Requests
{
    #region request
    public static async Task<double> AverageAsync(IServiceBus bus, string city, CancellationToken cancellationToken)
    {
        Reading[] readings = await bus.RequestAsync(Weather.Fetch, city, cancellationToken);
        return readings.Average(reading => reading.Degrees);
    }
    #endregion

    #region try-request
    public static async Task<string> DescribeAsync(IServiceBus bus, string city, CancellationToken cancellationToken)
    {
        Reply<Reading[]> reply = await bus.TryRequestAsync(Weather.Fetch, city, cancellationToken);
        if (reply.IsSuccess)
        {
            return $"{reply.GetValueOrThrow().Length} readings";
        }

        return reply.Failure.Kind switch
        {
            FailureKind.NoHandler => "the weather service is not running",
            FailureKind.TimedOut => "the weather service is too slow",
            _ when reply.Failure.IsRetryable => "the weather service is busy, try again",
            _ => reply.Failure.Message,
        };
    }
    #endregion

    #region exceptions
    public static async Task<Reading[]> FetchOrNothingAsync(IServiceBus bus, string city, CancellationToken cancellationToken)
    {
        try
        {
            return await bus.RequestAsync(Weather.Fetch, city, cancellationToken);
        }
        catch (NoHandlerException)
        {
            return [];
        }
        catch (HandlerFailedException failed) when (failed.Failure.Status == StatusCode.NotFound)
        {
            return [];
        }
    }
    #endregion

    #region options
    private static readonly RequestOptions s_quick = new()
    {
        Timeout = TimeSpan.FromSeconds(2),
        Headers = Headers.Of(("tenant", "acme")),
    };

    public static Task<Reading[]> FetchQuicklyAsync(IServiceBus bus, string city, CancellationToken cancellationToken) =>
        bus.RequestAsync(Weather.Fetch, city, s_quick, cancellationToken);
    #endregion

    #region signal
    public static async Task<bool> TellAsync(IServiceBus bus, string line, CancellationToken cancellationToken)
    {
        SignalResult sent = await bus.SignalAsync(Weather.Log, line, cancellationToken);
        return sent.WasReceived;
    }
    #endregion

    #region subscribe
    public static async Task WatchAsync(IServiceBus bus, TextWriter output, CancellationToken cancellationToken)
    {
        await using ISubscription watching = await bus.SubscribeAsync(
            Weather.EveryLog,
            (line, context) => output.WriteLineAsync($"{context.Topic}: {line}"),
            cancellationToken: cancellationToken);
        await Task.Delay(Timeout.InfiniteTimeSpan, cancellationToken);
    }
    #endregion

    #region probe
    public static Task<NodeInfo> WhoIsAsync(IServiceBus bus, string nodeId, CancellationToken cancellationToken) =>
        bus.RequestAsync(MeshTopics.Node(nodeId), Unit.Value, cancellationToken);
    #endregion
}
