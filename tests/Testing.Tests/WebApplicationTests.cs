using System.Net;
using System.Net.Http.Json;
using Microsoft.AspNetCore.Mvc.Testing;
using Microsoft.AspNetCore.TestHost;
using Microsoft.Extensions.DependencyInjection;
using NUnit.Framework;
using Shop;

namespace ServiceMesh.Testing.Tests;

/// <summary>The web API of the sample shop, whose configuration names the HTTP transport.</summary>
public sealed class WebApplicationTests
{
    private static readonly Order s_order = new("lamp", 2);

    [Test]
    public async Task An_application_is_tested_in_memory_with_fakes()
    {
        await using var orders = WebApplicationSnippet.Orders(new());

        #region call
        using var answer = await orders.CreateClient().PostAsJsonAsync("/orders", new Order("lamp", 2));

        var receipt = await answer.Content.ReadFromJsonAsync<Receipt>();
        Assert.That(receipt, Is.EqualTo(new Receipt("lamp", 2, 12.50m)));
        orders.Services.GetRequiredService<SentMessages>().AssertOne(ShopTopics.Ordered, told => told == receipt);
        #endregion
    }

    [Test]
    public async Task An_application_sees_failures_on_demand()
    {
        await using var orders = WebApplicationSnippet.Orders(new());
        using var client = orders.CreateClient();
        var failures = orders.Services.GetRequiredService<MeshFailures>();

        failures.TimesOut(ShopTopics.Price, times: 1);
        using var late = await client.PostAsJsonAsync("/orders", s_order);
        failures.NotFound(ShopTopics.Reserve, times: 1);
        using var missing = await client.PostAsJsonAsync("/orders", s_order);
        using var again = await client.PostAsJsonAsync("/orders", s_order);

        Assert.That((late.IsSuccessStatusCode, missing.IsSuccessStatusCode), Is.EqualTo((false, false)));
        Assert.That(await late.Content.ReadAsStringAsync(), Does.Contain("billing.price"));
        Assert.That(again.StatusCode, Is.EqualTo(HttpStatusCode.OK));
        orders.Services.GetRequiredService<SentMessages>().AssertCount(1, ShopTopics.Ordered);
    }

    [Test]
    public async Task Several_applications_and_hosts_join_one_network()
    {
        var network = new InMemoryNetwork();
        var billed = new TaskCompletionSource<Receipt>();
        await using var services = await MeshTestHost.StartAsync(
            bus => bus
                .AddHandler(ShopTopics.Reserve, (order, _) => 3)
                .AddHandler(ShopTopics.Price, (order, _) => 5m)
                .AddHandler(ShopTopics.Ordered, (receipt, _) => { billed.TrySetResult(receipt); }),
            new() { Network = network });
        await using var first = Joined(network);
        await using var second = Joined(network);
        using var one = first.CreateClient();
        using var two = second.CreateClient();

        using var ofFirst = await one.PostAsJsonAsync("/orders", s_order);
        using var ofSecond = await two.PostAsJsonAsync("/orders", s_order);

        Assert.That(await ofFirst.Content.ReadFromJsonAsync<Receipt>(), Is.EqualTo(new Receipt("lamp", 2, 5m)));
        Assert.That(await ofSecond.Content.ReadFromJsonAsync<Receipt>(), Is.EqualTo(new Receipt("lamp", 2, 5m)));
        Assert.That(await billed.Task.InTime(), Is.EqualTo(new Receipt("lamp", 2, 5m)));
        Assert.That(await services.Bus.ListNodesAsync(), Has.Count.EqualTo(3));
    }

    [Test]
    public async Task A_network_in_the_container_is_joined_by_an_application()
    {
        await using var services = await MeshTestHost.StartAsync(
            bus => bus.AddHandler(ShopTopics.Reserve, (order, _) => 3).AddHandler(ShopTopics.Price, (order, _) => 5m));
        await using var orders = new WebApplicationFactory<Program>().WithWebHostBuilder(builder => builder.ConfigureTestServices(test =>
        {
            test.AddSingleton(services.Network);
            test.AddServiceMesh(options => options.Transport = "InMemory").AddInMemoryTransport();
        }));

        using var answer = await orders.CreateClient().PostAsJsonAsync("/orders", s_order);

        Assert.That(answer.StatusCode, Is.EqualTo(HttpStatusCode.OK));
    }

    private static WebApplicationFactory<Program> Joined(InMemoryNetwork network) =>
        new WebApplicationFactory<Program>().WithWebHostBuilder(builder =>
            builder.ConfigureTestServices(services => services.UseInMemoryTransport(network)));
}
