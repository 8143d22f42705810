using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using NUnit.Framework;
using ServiceMesh.Conformance;
using ServiceMesh.Support;
using static ServiceMesh.Http.Tests.HttpNodes;

namespace ServiceMesh.Http.Tests;

/// <summary>Nodes behind a proxy that ends requests which wait, and behind a load balancer.</summary>
public sealed class ProxiedNodeTests
{
    [Test]
    public async Task A_proxy_that_ends_polls_does_not_make_its_node_unreachable()
    {
        var port = FreePort.Next();
        await using var server = await StartAsync(mesh => mesh.AddHandler(Ask, (input, _) => input), Listen(port));
        await using var proxy = await Proxy.StartAsync(TimeSpan.FromSeconds(0.5), port);
        await using var caller = await StartAsync(null, Service("weather", proxy.Port), ("Http:Health:Interval", "00:00:03"));
        var endpoint = caller.Services.GetRequiredService<ServiceEndpoints>().Of("weather").Single();

        await Failsafe.UntilAsync(() => proxy.CutOff >= 1 && proxy.Polls >= 6);

        Assert.That(caller.Log.Lines, Has.None.Contains("is unreachable"));
        Assert.That(endpoint.State, Is.EqualTo(EndpointState.Healthy));
        Assert.That(caller.Log.Lines, Has.Some.Contains("A poll of endpoint"));
        var cutOff = proxy.CutOff;
        await Failsafe.UntilAsync(() => proxy.Polls >= 12);
        Assert.That(proxy.CutOff, Is.LessThanOrEqualTo(cutOff + 1), "polls wait less from then on");
    }

    [Test]
    public async Task A_draining_node_does_not_take_the_whole_load_balancer_out()
    {
        int[] ports = [FreePort.Next(), FreePort.Next()];
        using var finish = new SemaphoreSlim(0);
        using var begun = new SemaphoreSlim(0);
        var slow = new RequestTopic<string, string>("test.slow");
        Task<TestNode> NodeAsync(int port) => StartAsync(
            mesh => mesh.AddHandler(Ask, (_, context) => context.NodeId).AddHandler(slow, async (input, _) =>
            {
                begun.Release();
                await finish.WaitAsync();
                return input;
            }),
            Listen(port));
        await using var leaving = await NodeAsync(ports[0]);
        await using var staying = await NodeAsync(ports[1]);
        await using var balancer = await Proxy.StartAsync(TimeSpan.FromSeconds(30), ports);
        await using var caller = await StartAsync(null, Service("weather", balancer.Port), ("Http:Health:Interval", "00:00:00.2"));
        var endpoint = caller.Services.GetRequiredService<ServiceEndpoints>().Of("weather").Single();
        await Failsafe.UntilAsync(() => endpoint.IsMany);

        using var http = new HttpClient();
        var busy = http.PostAsync(
            new Uri($"http://127.0.0.1:{ports[0]}/mesh/v1/request/test.slow"), new StringContent("\"x\"", null, "application/json"));
        await begun.WaitAsync().InTime();
        var stopping = leaving.StopAsync();
        await Failsafe.UntilAsync(() => leaving.Log.Lines.Any(l => l.Contains("drains", StringComparison.Ordinal)));
        for (var i = 0; i < 50; i++)
        {
            var reply = await caller.Bus.TryRequestAsync(Ask, "x").InTime();
            Assert.That(reply.IsSuccess, Is.True, reply.Failure?.Message);
        }

        Assert.That(endpoint.State, Is.EqualTo(EndpointState.Healthy));
        finish.Release();
        using var answered = await busy.InTime();
        await stopping.InTime();
    }

    /// <summary>Passes each request to the next of its servers, and ends it with 504 when it takes too long.</summary>
    private sealed class Proxy : IAsyncDisposable
    {
        private readonly WebApplication _app;
        private readonly HttpClient _http = new(new SocketsHttpHandler { MaxConnectionsPerServer = 1000 });
        private int _turn;
        private int _polls;
        private int _cutOff;

        private Proxy(WebApplication app) => _app = app;

        public int Port { get; private init; }

        public int Polls => Volatile.Read(ref _polls);

        public int CutOff => Volatile.Read(ref _cutOff);

        public static async Task<Proxy> StartAsync(TimeSpan readTimeout, params int[] servers)
        {
            var builder = WebApplication.CreateSlimBuilder();
            builder.Logging.ClearProviders();
            var port = FreePort.Next();
            builder.WebHost.UseUrls($"http://127.0.0.1:{port}");
            var app = builder.Build();
            var proxy = new Proxy(app) { Port = port };
            app.Run(http => proxy.PassAsync(http, readTimeout, servers));
            await app.StartAsync();
            return proxy;
        }

        public async ValueTask DisposeAsync()
        {
            await _app.DisposeAsync();
            _http.Dispose();
        }

        private async Task PassAsync(HttpContext http, TimeSpan readTimeout, int[] servers)
        {
            var server = servers[(uint)Interlocked.Increment(ref _turn) % servers.Length];
            Interlocked.Add(ref _polls, http.Request.Path.Value!.EndsWith("/node", StringComparison.Ordinal) ? 1 : 0);
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(http.RequestAborted);
            limit.CancelAfter(readTimeout);
            using var body = new MemoryStream();
            await http.Request.Body.CopyToAsync(body, http.RequestAborted);
            using var request = new HttpRequestMessage(
                new(http.Request.Method), $"http://127.0.0.1:{server}{http.Request.Path}{http.Request.QueryString}");
            if (body.Length > 0)
            {
                request.Content = new ByteArrayContent(body.ToArray());
            }

            foreach (var (name, value) in http.Request.Headers.Where(h => h.Key is not ("Host" or "Content-Length")))
            {
                if (!request.Headers.TryAddWithoutValidation(name, value.ToArray()))
                {
                    request.Content?.Headers.TryAddWithoutValidation(name, value.ToArray());
                }
            }

            try
            {
                using var response = await _http.SendAsync(request, limit.Token);
                http.Response.StatusCode = (int)response.StatusCode;
                foreach (var (name, values) in response.Headers.Concat(response.Content.Headers).Where(h => h.Key != "Transfer-Encoding"))
                {
                    http.Response.Headers[name] = values.ToArray();
                }

                await response.Content.CopyToAsync(http.Response.Body, http.RequestAborted);
            }
            catch (OperationCanceledException) when (!http.RequestAborted.IsCancellationRequested)
            {
                Interlocked.Increment(ref _cutOff);
                http.Response.StatusCode = 504;
            }
            catch (HttpRequestException)
            {
                http.Response.StatusCode = 502;
            }
        }
    }
}
