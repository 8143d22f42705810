using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using OpenTelemetry.Metrics;

/// <summary>
/// Shows the metrics on <c>/metrics</c>, on a separate port: it is available with every transport, and not to the callers of
/// the service. An application that runs on ASP.NET Core calls <c>MapPrometheusScrapingEndpoint</c> on its own server instead.
/// </summary>
internal sealed class MetricsPage : IHostedService, IAsyncDisposable
{
    private readonly WebApplication _server;

    public MetricsPage(MeterProvider metrics, string host, int port)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls($"http://{host}:{port}");
        _server = builder.Build();
        _server.MapPrometheusScrapingEndpoint("/metrics", metrics, configureBranchedPipeline: null, optionsName: null);
    }

    public Task StartAsync(CancellationToken cancellationToken) => _server.StartAsync(cancellationToken);

    public Task StopAsync(CancellationToken cancellationToken) => _server.StopAsync(cancellationToken);

    public ValueTask DisposeAsync() => _server.DisposeAsync();
}
