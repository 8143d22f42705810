using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Snippets;

public static class Http
{
    #region add
    public static IHost BuildWorker(string[] args)
    {
        var builder = Host.CreateApplicationBuilder(args);
        builder.Services.AddScoped<IStations, Stations>();
        builder.Services.AddServiceMesh(builder.Configuration.GetSection("ServiceMesh"))
            .AddHttpTransport()
            .AddHandler<FetchHandler>(Weather.Fetch);
        return builder.Build();
    }
    #endregion

    #region map
    public static WebApplication BuildWebApplication(string[] args)
    {
        var builder = WebApplication.CreateBuilder(args);
        builder.Services.AddAuthentication().AddBearerToken();
        builder.Services.AddAuthorization();
        builder.Services.AddServiceMesh(builder.Configuration.GetSection("ServiceMesh"))
            .AddHttpTransport()
            .AddHandler(Weather.Min, (readings, _) => readings.MinBy(reading => reading.Degrees)!);
        var app = builder.Build();
        app.MapGet("/", () => "The weather service");
        app.MapServiceMesh().RequireAuthorization();
        return app;
    }
    #endregion
}
