using MassTransit;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace ServiceMesh.Benchmarks;

/// <summary>
/// MassTransit 8 in memory as its documentation shows it: a consumer that responds, and a request client that knows the
/// consumer's queue, which saves it a publication through an exchange. Its in-memory transport belongs to one bus, so there
/// are no replicas.
/// </summary>
internal sealed class MassTransitEcho : IEcho
{
    private readonly IHost _host;
    private readonly IRequestClient<Reading> _client;

    private MassTransitEcho(IHost host)
    {
        _host = host;
        _client = host.Services.GetRequiredService<IBus>().CreateRequestClient<Reading>(new Uri("queue:echo"));
    }

    public static async Task<IEcho> StartAsync(Brokers brokers, int replicas)
    {
        var builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings());
        builder.Logging.SetMinimumLevel(LogLevel.Warning);
        builder.Services.AddMassTransit(bus =>
        {
            bus.AddConsumer<Echo>();
            bus.UsingInMemory((context, memory) => memory.ReceiveEndpoint("echo", endpoint =>
            {
                // As many concurrent messages as the maximum number of callers, so that no caller waits for another.
                endpoint.PrefetchCount = 1024;
                endpoint.ConfigureConsumer<Echo>(context);
            }));
        });
        builder.Services.Configure<MassTransitHostOptions>(options => options.WaitUntilStarted = true);
        var host = builder.Build();
        await host.StartAsync();
        return new MassTransitEcho(host);
    }

    public async Task<Reading> EchoAsync(Reading reading, CancellationToken cancellationToken)
    {
        var response = await _client.GetResponse<Reading>(reading, cancellationToken);
        return response.Message;
    }

    public async ValueTask DisposeAsync()
    {
        await _host.StopAsync();
        await ((IAsyncDisposable)_host).DisposeAsync();
    }

    private sealed class Echo : IConsumer<Reading>
    {
        public Task Consume(ConsumeContext<Reading> context) => context.RespondAsync(context.Message);
    }
}
