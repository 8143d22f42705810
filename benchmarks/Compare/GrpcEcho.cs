using Grpc.Core;
using Grpc.Net.Client;
using Grpc.Net.Client.Balancer;
using Grpc.Net.Client.Configuration;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using ServiceMesh.Benchmarks.Protocol;
using ServiceMesh.Support;

namespace ServiceMesh.Benchmarks;

/// <summary>
/// gRPC over HTTP/2 without TLS: unary calls with a deadline, with client and service as protoc generates them, and protobuf on both sides.
/// The channel balances over the replicas itself, by round robin, and may open further connections, as gRPC's documentation
/// recommends for many calls at once.
/// </summary>
internal sealed class GrpcEcho : IEcho
{
    private static readonly TimeSpan s_deadline = TimeSpan.FromSeconds(30); // as long as a request on the bus

    private readonly List<WebApplication> _servers = [];
    private readonly ServiceProvider _services;
    private readonly GrpcChannel _channel;
    private readonly Protocol.Echo.EchoClient _client;

    private GrpcEcho(IReadOnlyList<int> ports)
    {
        var addresses = ports.Select(port => new BalancerAddress("127.0.0.1", port)).ToArray();
        _services = new ServiceCollection().AddSingleton<ResolverFactory>(new StaticResolverFactory(_ => addresses)).BuildServiceProvider();
        _channel = GrpcChannel.ForAddress("static:///echo", new()
        {
            Credentials = ChannelCredentials.Insecure,
            ServiceProvider = _services,
            ServiceConfig = new() { LoadBalancingConfigs = { new RoundRobinConfig() } },
            HttpHandler = new SocketsHttpHandler { EnableMultipleHttp2Connections = true },
            DisposeHttpClient = true,
        });
        _client = new(_channel);
    }

    public static async Task<IEcho> StartAsync(int replicas)
    {
        int[] ports = [.. Enumerable.Range(0, replicas).Select(_ => FreePort.Next())];
        var echo = new GrpcEcho(ports);
        foreach (var port in ports)
        {
            var builder = WebApplication.CreateSlimBuilder();
            builder.Logging.ClearProviders();
            builder.Services.AddGrpc();
            builder.WebHost.ConfigureKestrel(kestrel => kestrel.ListenLocalhost(port, listen => listen.Protocols = HttpProtocols.Http2));
            var server = builder.Build();
            server.MapGrpcService<Service>();
            await server.StartAsync();
            echo._servers.Add(server);
        }

        await echo._channel.ConnectAsync();
        return echo;
    }

    public async Task<Reading> EchoAsync(Reading reading, CancellationToken cancellationToken)
    {
        var request = new ReadingMessage { Month = reading.Month, Day = reading.Day, Degrees = reading.Degrees };
        var reply = await _client.SendAsync(request, deadline: DateTime.UtcNow + s_deadline, cancellationToken: cancellationToken);
        return new(reply.Month, reply.Day, reply.Degrees);
    }

    public async ValueTask DisposeAsync()
    {
        _channel.Dispose();
        await _services.DisposeAsync();
        foreach (var server in _servers)
        {
            await server.DisposeAsync();
        }
    }

    private sealed class Service : Protocol.Echo.EchoBase
    {
        public override Task<ReadingMessage> Send(ReadingMessage request, ServerCallContext context) => Task.FromResult(request);
    }
}
