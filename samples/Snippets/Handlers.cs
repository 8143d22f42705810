using Microsoft.Extensions.DependencyInjection;
using ServiceMesh;

namespace Snippets;

/// <summary>Where the readings come from: a scoped dependency of the handlers, as a database session would be.</summary>
public interface IStations
{
    Task<Reading[]?> FindAsync(string city, CancellationToken cancellationToken);
}

#region handler
public sealed class FetchHandler(IStations stations, IServiceBus bus) : IRequestHandler<string, Reading[]>
{
    public async Task<Reading[]> HandleAsync(string city, HandlerContext context)
    {
        var readings = await stations.FindAsync(city, context.CancellationToken) ?? [];
        await bus.SignalAsync(Weather.Log, $"{readings.Length} readings of {city} for {context.Sender}", context.CancellationToken);
        return readings;
    }
}
#endregion

#region status
public sealed class StrictFetchHandler(IStations stations) : IRequestHandler<string, Reading[]>
{
    public async Task<Reading[]> HandleAsync(string city, HandlerContext context) =>
        await stations.FindAsync(city, context.CancellationToken)
        ?? throw new ReplyException(StatusCode.NotFound, $"No station reports from '{city}'.");
}
#endregion

#region within
public sealed class ColdestHandler(IServiceBus bus) : IRequestHandler<string, Reading>
{
    private static readonly Composition<string, Reading> s_coldest = Weather.Fetch | Weather.Min;

    public Task<Reading> HandleAsync(string city, HandlerContext context) =>
        bus.ExecuteAsync(s_coldest, city, RequestOptions.Within(context), context.CancellationToken);
}
#endregion

#region signal-handler
public sealed class LogPrinter(TextWriter output) : ISignalHandler<string>
{
    public Task HandleAsync(string line, HandlerContext context) =>
        output.WriteLineAsync($"{context.Topic}: {line}".AsMemory(), context.CancellationToken);
}
#endregion

public static class HandlerOptionsByExample
{
    public static IServiceMeshBuilder AddWeather(this IServiceMeshBuilder mesh) => mesh
    #region handler-options
        .AddHandler<FetchHandler>(Weather.Fetch, handler =>
        {
            handler.Timeout = TimeSpan.FromSeconds(10);
            handler.MaxConcurrency = 32;
            handler.MaxQueued = 100;
        })
        .AddHandler<LogPrinter>(Weather.EveryLog, handler =>
        {
            handler.Group = "printers";
            handler.Ordered = true;
        });
    #endregion
}
