using System.Collections;
using System.Net.Http.Json;
using System.Reflection;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using NUnit.Framework;
using ServiceMesh.Support;
using static ServiceMesh.Http.Tests.HttpNodes;

namespace ServiceMesh.Http.Tests;

/// <summary>Services that change in the configuration while the application runs.</summary>
[CancelAfter(60_000)]
public sealed class ServiceReloadTests
{
    private static readonly Uri s_weather = new("http://weather/");

    [Test]
    public async Task HttpClients_follow_a_changed_address(CancellationToken cancellationToken)
    {
        await using var first = await FaultServer.StartAsync();
        await using var second = await FaultServer.StartAsync();
        using var host = Build(("weather", first), ("stays", first));
        using var http = host.Services.GetRequiredService<IHttpClientFactory>().CreateClient("any");
        Assert.That(await ServerAsync(http, s_weather, cancellationToken), Is.EqualTo(first.Address));
        await ServerAsync(http, new("http://stays/"), cancellationToken);
        var stays = host.Services.GetRequiredService<ServiceEndpoints>().Of("stays").Single();

        Change(host, ("weather:Address", $"http://{second.Address}"));

        await UntilAsync(async () => await ServerAsync(http, s_weather, cancellationToken) == second.Address, cancellationToken);
        await ServerAsync(http, new("http://stays/"), cancellationToken);
        var endpoints = host.Services.GetRequiredService<ServiceEndpoints>();
        Assert.That(endpoints.Of("stays").Single(), Is.SameAs(stays), "a service that did not change keeps its endpoints");
        Assert.That(endpoints.Of("weather").Select(e => e.ToString()), Is.EqualTo([second.Address]));
    }

    [Test]
    public async Task A_service_is_added_and_removed_while_HttpClients_run(CancellationToken cancellationToken)
    {
        await using var server = await FaultServer.StartAsync();
        var settings = new Settings();
        settings.Replace(("weather", server));
        using var host = Build(settings);
        using var http = host.Services.GetRequiredService<IHttpClientFactory>().CreateClient("any");
        var services = host.Services.GetRequiredKeyedService<ClientServices>("");

        settings.Replace(("weather", server), ("later", server));
        await UntilAsync(() => Task.FromResult(services.Find(new("http://later/")) is not null), cancellationToken);
        Assert.That(await ServerAsync(http, new("http://later/"), cancellationToken), Is.EqualTo(server.Address));

        settings.Replace(("later", server));
        await UntilAsync(() => Task.FromResult(services.Find(s_weather) is null), cancellationToken);
        Assert.That(await ServerAsync(http, new("http://later/"), cancellationToken), Is.EqualTo(server.Address));
    }

    [Test]
    public async Task A_change_that_is_not_valid_is_not_used(CancellationToken cancellationToken)
    {
        await using var server = await FaultServer.StartAsync();
        using var host = Build(("weather", server));
        using var http = host.Services.GetRequiredService<IHttpClientFactory>().CreateClient("any");
        var services = host.Services.GetRequiredKeyedService<ClientServices>("");

        Change(host, ("weather:Address", "nowhere"), ("later:Address", $"http://{server.Address}"));
        Change(host, ("weather:Address", $"http://{server.Address}"), ("later:Address", $"http://{server.Address}"));

        await UntilAsync(() => Task.FromResult(services.Find(new("http://later/")) is not null), cancellationToken);
        Assert.That(await ServerAsync(http, s_weather, cancellationToken), Is.EqualTo(server.Address));
    }

    [Test]
    public async Task A_node_follows_a_service_that_moves_to_another_node(CancellationToken cancellationToken)
    {
        var (first, second) = (FreePort.Next(), FreePort.Next());
        await using var a = await StartAsync(mesh => mesh.AddHandler(Ask, (input, _) => $"a {input}"), Listen(first));
        await using var b = await StartAsync(mesh => mesh.AddHandler(Ask, (input, _) => $"b {input}"), Listen(second));
        await using var caller = await StartAsync(
            settings: [Service("answers", first), Listen(FreePort.Next()), ("Http:Timeouts:Connect", "00:01:00")]);
        Assert.That(await caller.Bus.RequestAsync(Ask, "1", cancellationToken), Is.EqualTo("a 1"));

        var (key, value) = Service("answers", second);
        var configuration = (IConfigurationRoot)caller.Services.GetRequiredService<IConfiguration>();
        configuration[$"ServiceMesh:{key}"] = value;
        configuration.Reload();

        var (answered, failed) = ("", 0);
        await UntilAsync(
            async () =>
            {
                var reply = await caller.Bus.TryRequestAsync(Ask, "2", cancellationToken);
                failed += reply.IsSuccess ? 0 : 1;
                answered = reply.IsSuccess ? reply.Value! : answered;
                return answered == "b 2";
            },
            cancellationToken);
        Assert.That(failed, Is.Zero, "the old node serves until the new one has answered");
        Assert.That(caller.Log.Lines, Has.None.Contains("takes effect after a restart"));
    }

    [Test]
    public async Task A_node_learns_a_service_that_is_added(CancellationToken cancellationToken)
    {
        var port = FreePort.Next();
        await using var answers = await StartAsync(mesh => mesh.AddHandler(Ask, (input, _) => $"a {input}"), Listen(port));
        await using var caller = await StartAsync(settings: [Listen(FreePort.Next())]);
        Assert.That((await caller.Bus.TryRequestAsync(Ask, "1", cancellationToken)).Status, Is.EqualTo(StatusCode.NotFound));

        var (key, value) = Service("answers", port);
        var configuration = (IConfigurationRoot)caller.Services.GetRequiredService<IConfiguration>();
        configuration[$"ServiceMesh:{key}"] = value;
        configuration.Reload();

        await UntilAsync(async () => (await caller.Bus.TryRequestAsync(Ask, "2", cancellationToken)).IsSuccess, cancellationToken);
    }

    [Test]
    public async Task A_change_that_fails_is_logged_and_the_next_one_is_taken_over(CancellationToken cancellationToken)
    {
        var settings = new Settings();
        var configuration = new ConfigurationBuilder().Add(settings).Build();
        var failed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var second = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        using var log = new RecordedLog();
        await using (new ServiceChanges(configuration.GetSection("ServiceMesh:Http"), () => new()).Watch(
            (_, _) => failed.TrySetResult() ? throw new InvalidOperationException("no resolver") : Task.FromResult(second.TrySetResult()),
            log.CreateLogger("reload")))
        {
            settings.Replace();
            await failed.Task.WaitAsync(cancellationToken);
            settings.Replace();
            await second.Task.WaitAsync(cancellationToken);
        }

        Assert.That(log.Lines, Has.One.Contains("were not taken over in full"));
    }

    // A new setting that is not compared would be ignored by a reload.
    [Test]
    public void Every_setting_of_a_service_makes_a_difference()
    {
        using (Assert.EnterMultipleScope())
        {
            Differ(() => new(), o => o);
            Differ(() => new(), o => o.Retry);
            Differ(() => new(), o => o.Timeouts);
        }

        static void Differ(Func<HttpServiceOptions> make, Func<HttpServiceOptions, object> part)
        {
            Assert.That(make().IsSameAs(make()), Is.True);
            foreach (var property in part(make()).GetType().GetProperties(BindingFlags.Public | BindingFlags.Instance))
            {
                if (property.PropertyType == typeof(HttpRetryOptions) || property.PropertyType == typeof(HttpServiceTimeoutOptions))
                {
                    continue;
                }

                var changed = make();
                if (property.GetValue(part(changed)) is IDictionary dictionary)
                {
                    dictionary["a"] = "b";
                }
                else
                {
                    property.SetValue(part(changed), Other(property.PropertyType));
                }

                Assert.That(make().IsSameAs(changed), Is.False, property.Name);
            }
        }

        static object Other(Type type) => (Nullable.GetUnderlyingType(type) ?? type) switch
        {
            var t when t == typeof(string) => "other",
            var t when t == typeof(bool) => true,
            var t when t == typeof(int) => 7,
            var t when t == typeof(TimeSpan) => TimeSpan.FromSeconds(7),
            var t when t == typeof(HashBy) => HashBy.Path,
            var t => throw new NotSupportedException(t.Name),
        };
    }

    private static async Task<string> ServerAsync(HttpClient http, Uri uri, CancellationToken cancellationToken) =>
        (await http.GetFromJsonAsync<FaultServerAnswer>(uri, cancellationToken))!.Server;

    private static void Change(IHost host, params (string Key, string Value)[] settings)
    {
        var configuration = (IConfigurationManager)host.Services.GetRequiredService<IConfiguration>();
        foreach (var (key, value) in settings)
        {
            configuration[$"ServiceMesh:Http:Services:{key}"] = value;
        }

        ((IConfigurationRoot)configuration).Reload();
    }

    private static IHost Build(params (string Name, FaultServer Server)[] services)
    {
        var settings = new Settings();
        settings.Replace(services);
        return Build(settings);
    }

    private static IHost Build(Settings settings)
    {
        var builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings());
        ((IConfigurationBuilder)builder.Configuration).Add(settings);
        builder.Services.AddHttpClient("any").AddServiceMesh();
        return builder.Build();
    }

    /// <summary>A source from which keys can also be removed.</summary>
    private sealed class Settings : ConfigurationProvider, IConfigurationSource
    {
        public IConfigurationProvider Build(IConfigurationBuilder builder) => this;

        public void Replace(params (string Name, FaultServer Server)[] services)
        {
            Data = services.ToDictionary(
                s => $"ServiceMesh:Http:Services:{s.Name}:Address", s => (string?)$"http://{s.Server.Address}",
                StringComparer.OrdinalIgnoreCase);
            OnReload();
        }
    }

    private static async Task UntilAsync(Func<Task<bool>> condition, CancellationToken cancellationToken)
    {
        while (!await condition())
        {
            await Task.Delay(5, cancellationToken);
        }
    }
}
