using System.Text.Json.Serialization;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using ServiceMesh;

namespace Snippets;

public static class Hosting
{
    #region add
    public static IHost Build(string[] args)
    {
        var builder = Host.CreateApplicationBuilder(args);
        builder.Services.AddScoped<IStations, Stations>();
        builder.Services.AddServiceMesh(builder.Configuration.GetSection("ServiceMesh"))
            .AddInMemoryTransport()
            .AddHandler<FetchHandler>(Weather.Fetch)
            .AddHandler(Weather.Min, (readings, _) => readings.MinBy(reading => reading.Degrees)!)
            .AddHandler(Weather.Max, (readings, _) => readings.MaxBy(reading => reading.Degrees)!)
            .AddHandler(Weather.Log, (line, _) => Console.Error.WriteLine(line));
        return builder.Build();
    }
    #endregion

    public static void AddHealth(IServiceCollection services) =>
    #region health
        services.AddHealthChecks().AddServiceMesh();
    #endregion

    #region modules
    public static void AddFetching(IServiceCollection services) =>
        services.AddServiceMesh().AddHandler<FetchHandler>(Weather.Fetch);

    public static void AddSummaries(IServiceCollection services) =>
        services.AddServiceMesh().AddHandler(Weather.Min, (readings, _) => readings.MinBy(reading => reading.Degrees)!);

    public static void AddModules(HostApplicationBuilder builder)
    {
        builder.Services.AddServiceMesh(builder.Configuration.GetSection("ServiceMesh")).AddInMemoryTransport();
        AddFetching(builder.Services);
        AddSummaries(builder.Services);
    }
    #endregion

    public static void AddTwoBuses(HostApplicationBuilder builder)
    {
        #region keyed
        builder.Services.AddServiceMesh("orders", builder.Configuration.GetSection("OrdersMesh")).AddInMemoryTransport();
        builder.Services.AddServiceMesh("billing", builder.Configuration.GetSection("BillingMesh")).AddInMemoryTransport();
        #endregion
    }

    public static void AddInCode(IServiceCollection services) =>
    #region code-only
        services.AddServiceMesh(options => options.Request.Timeout = TimeSpan.FromSeconds(10)).AddInMemoryTransport();
    #endregion

    public static IServiceMeshBuilder AddContracts(this IServiceMeshBuilder mesh) => mesh
    #region json-context
        .AddJsonContext(WeatherJson.Default)
        .ConfigureJson(json => json.PropertyNameCaseInsensitive = true);
    #endregion

    public static IServiceMeshBuilder RequireMore(this IServiceMeshBuilder mesh) => mesh
    #region require
        .Require(TransportFeatures.Cancellation | TransportFeatures.SignalGroups);
    #endregion

    #region network
    public static (IHost Server, IHost Client) BuildTwoNodes()
    {
        var network = new InMemoryNetwork();
        return (Build(mesh => mesh.AddHandler<FetchHandler>(Weather.Fetch)), Build(_ => { }));

        IHost Build(Action<IServiceMeshBuilder> addHandlers)
        {
            var builder = Host.CreateApplicationBuilder();
            builder.Services.AddScoped<IStations, Stations>();
            addHandlers(builder.Services.AddServiceMesh().AddInMemoryTransport(network));
            return builder.Build();
        }
    }
    #endregion
}

#region keyed-use
public sealed class Checkout([FromKeyedServices("orders")] IServiceBus orders, [FromKeyedServices("billing")] IServiceBus billing)
{
    public IEnumerable<string> Nodes => [orders.DescribeNode().Id, billing.DescribeNode().Id];
}
#endregion

#region json-context-type
[JsonSerializable(typeof(string))]
[JsonSerializable(typeof(Reading))]
[JsonSerializable(typeof(Reading[]))]
internal sealed partial class WeatherJson : JsonSerializerContext;
#endregion

/// <summary>Readings of two days in one city.</summary>
public sealed class Stations : IStations
{
    private static readonly Reading[] s_pune =
    [
        new(1, "jan", 6, 11.5), new(1, "jan", 15, 29.0), new(1, "feb", 6, 13.0), new(1, "feb", 15, 31.5),
    ];

    public Task<Reading[]?> FindAsync(string city, CancellationToken cancellationToken) =>
        Task.FromResult(city == "pune" ? s_pune : null);
}
