using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using OpenTelemetry;
using OpenTelemetry.Exporter;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;
using ServiceMesh;
using ServiceMesh.Samples;

// One request, traced and measured: everything that ServiceMesh tells goes to an OpenTelemetry collector over OTLP. Where it is
// stands in OTEL_EXPORTER_OTLP_ENDPOINT, for instance http://127.0.0.1:4318.
return await SampleApp.RunAsync(args, "Telemetry [NAME]    without one: world", Configure, GreetAsync);

static void Configure(HostApplicationBuilder app, Role role)
{
    var collector = new Uri(app.Configuration["OTEL_EXPORTER_OTLP_ENDPOINT"] ?? "http://127.0.0.1:4318");
    var mesh = app.Services.AddServiceMesh(app.Configuration.GetSection("ServiceMesh"))
        .AddInMemoryTransport()
        .AddRedisTransport()
        .AddHttpTransport();
    if (role != Role.Client)
    {
        mesh.AddHandler(Topics.Greet, (name, _) => $"Hello, {name}.");
    }

    // With the package OpenTelemetry.Extensions.Hosting this is app.Services.AddOpenTelemetry() with the same four calls after it,
    // and the hosted service below is the package's. This sample does without, because the package could not be restored where
    // the repository is built. What a factory like this one made the container disposes at its end; an instance that is handed to
    // AddSingleton it would not.
    app.Services.AddSingleton(_ => OpenTelemetrySdk.Create(telemetry => telemetry
        .ConfigureResource(resource => resource.AddService($"greetings-{role}"))
        .WithTracing(traces => traces
            .AddSource("ServiceMesh")        // requests, signals, handlers, compositions
            .AddSource("ServiceMesh.Http")   // every attempt over HTTP
            .AddSource("Experimental.System.Net.NameResolution")) // names that the platform looks up for a connection
        .WithMetrics(metrics => metrics
            .AddMeter("ServiceMesh")
            .AddMeter("System.Net.Http")     // connections and requests of the platform's own client
            .AddMeter("System.Net.NameResolution"))
        .UseOtlpExporter(OtlpExportProtocol.HttpProtobuf, collector)));
    app.Services.Insert(0, ServiceDescriptor.Singleton<IHostedService, Telemetry>()); // before the bus, so that its start is told too
}

static async Task GreetAsync(IServiceBus bus, string? name, CancellationToken cancellationToken) =>
    Console.WriteLine(await bus.RequestAsync(Topics.Greet, name ?? "world", cancellationToken));

internal static class Topics
{
    public static readonly RequestTopic<string, string> Greet = new("greetings.greet") { IsIdempotent = true };
}

/// <summary>
/// Has the SDK made when the host starts, since nobody else asks for it, and what it has left sent when everything else has
/// stopped: services are stopped in reverse order. A collector that does not answer holds up the end no longer than this.
/// </summary>
internal sealed class Telemetry(OpenTelemetrySdk sdk) : IHostedService
{
    private const int MostMilliseconds = 2000;

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken)
    {
        sdk.TracerProvider.ForceFlush(MostMilliseconds);
        sdk.MeterProvider.ForceFlush(MostMilliseconds);
        return Task.CompletedTask;
    }
}
