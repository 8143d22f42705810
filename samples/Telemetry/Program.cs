using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using OpenTelemetry;
using OpenTelemetry.Exporter;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;
using ServiceMesh;
using ServiceMesh.Samples;

// One request, traced and measured. A server shows its metrics on /metrics for Prometheus. Every process sends its spans to
// Zipkin, and spans and metrics to an OpenTelemetry collector when OTEL_EXPORTER_OTLP_ENDPOINT names one.
return await SampleApp.RunAsync(args, "Telemetry [NAME]    without one: world", Configure, GreetAsync);

static void Configure(HostApplicationBuilder app, Role role)
{
    var mesh = app.Services.AddServiceMesh(app.Configuration.GetSection("ServiceMesh"))
        .AddInMemoryTransport()
        .AddRedisTransport()
        .AddHttpTransport();
    if (role != Role.Client)
    {
        mesh.AddHandler(Topics.Greet, (name, _) => $"Hello, {name}.");
    }

    AddTelemetry(app, role);
}

static void AddTelemetry(HostApplicationBuilder app, Role role)
{
    #region opentelemetry
    var telemetry = app.Services.AddOpenTelemetry()
        .ConfigureResource(resource => resource.AddService($"greetings-{role}"))
        .WithTracing(traces => traces
            .AddSource(MeshTelemetry.SourceName)                   // requests, signals, handlers, compositions
            .AddSource("ServiceMesh.Http")                         // every attempt over HTTP
            .AddSource("Experimental.System.Net.NameResolution"))  // names that the platform resolves for a connection
        .WithMetrics(metrics => metrics
            .AddMeter(MeshTelemetry.MeterName)
            .AddMeter("System.Net.Http")                           // connections and requests of the platform's own client
            .AddMeter("System.Net.NameResolution")
            .AddPrometheusExporter());                             // the page /metrics shows them
#pragma warning disable CS0618 // Deprecated, because Zipkin accepts OTLP now. Servers that accept only Zipkin's own format need it.
    telemetry.WithTracing(traces => traces.AddZipkinExporter());   // to OTEL_EXPORTER_ZIPKIN_ENDPOINT
#pragma warning restore CS0618
    if (app.Configuration["OTEL_EXPORTER_OTLP_ENDPOINT"] is { Length: > 0 } collector)
    {
        telemetry.UseOtlpExporter(OtlpExportProtocol.HttpProtobuf, new Uri(collector));
    }
    #endregion

    if (role == Role.Server)
    {
        app.Services.AddHostedService(services => new MetricsPage(
            services.GetRequiredService<MeterProvider>(),
            app.Configuration["OTEL_EXPORTER_PROMETHEUS_HOST"] ?? "localhost",
            app.Configuration.GetValue("OTEL_EXPORTER_PROMETHEUS_PORT", 9464)));
    }
}

static async Task GreetAsync(IServiceBus bus, string? name, CancellationToken cancellationToken) =>
    Console.WriteLine(await bus.RequestAsync(Topics.Greet, name ?? "world", cancellationToken));

internal static class Topics
{
    public static readonly RequestTopic<string, string> Greet = new("greetings.greet") { IsIdempotent = true };
}
