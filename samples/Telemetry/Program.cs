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
    var mesh = app.Services.AddServiceMesh(app.Configuration.GetSection("ServiceMesh"))
        .AddInMemoryTransport()
        .AddRedisTransport()
        .AddHttpTransport();
    if (role != Role.Client)
    {
        mesh.AddHandler(Topics.Greet, (name, _) => $"Hello, {name}.");
    }

    // Made before the bus starts, and disposed after it has stopped: what was not sent yet is sent then.
    var resource = ResourceBuilder.CreateDefault().AddService($"greetings-{role}");
    app.Services.AddSingleton(Sdk.CreateTracerProviderBuilder().SetResourceBuilder(resource)
        .AddSource("ServiceMesh")        // requests, signals, handlers, compositions
        .AddSource("ServiceMesh.Http")   // every attempt over HTTP
        .AddOtlpExporter(options => Send(options, "traces"))
        .Build());
    app.Services.AddSingleton(Sdk.CreateMeterProviderBuilder().SetResourceBuilder(resource)
        .AddMeter("ServiceMesh")
        .AddMeter("System.Net.Http")     // connections and requests of the platform's own client
        .AddOtlpExporter(options => Send(options, "metrics"))
        .Build());
    app.Services.AddHostedService<Telemetry>();
}

static void Send(OtlpExporterOptions options, string what)
{
    var endpoint = Environment.GetEnvironmentVariable("OTEL_EXPORTER_OTLP_ENDPOINT") ?? "http://127.0.0.1:4318";
    options.Protocol = OtlpExportProtocol.HttpProtobuf;
    options.Endpoint = new Uri($"{endpoint.TrimEnd('/')}/v1/{what}");
}

static async Task GreetAsync(IServiceBus bus, string? name, CancellationToken cancellationToken) =>
    Console.WriteLine(await bus.RequestAsync(Topics.Greet, name ?? "world", cancellationToken));

internal static class Topics
{
    public static readonly RequestTopic<string, string> Greet = new("greetings.greet") { IsIdempotent = true };
}

/// <summary>Has the providers made when the host starts, since nobody else asks for them, and emptied when it has stopped.</summary>
internal sealed class Telemetry(TracerProvider traces, MeterProvider metrics) : IHostedLifecycleService
{
    public Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken)
    {
        traces.ForceFlush();
        metrics.ForceFlush();
        return Task.CompletedTask;
    }
}
