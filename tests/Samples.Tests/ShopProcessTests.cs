using System.Net;
using System.Net.Http.Json;
using ServiceMesh.Support;
using Shop;

namespace ServiceMesh.Samples.Tests;

/// <summary>The three programs of the shop as processes, as Getting started runs them.</summary>
public sealed class ShopProcessTests
{
    [Test]
    public async Task An_order_goes_through_three_processes_over_HTTP()
    {
        var (inventory, billing) = (FreePort.Next(), FreePort.Next());
        await OrderAsync(
            ["--ServiceMesh:Http:Listen", $"http://127.0.0.1:{inventory}"],
            ["--ServiceMesh:Http:Listen", $"http://127.0.0.1:{billing}"],
            [
                "--ServiceMesh:Http:Services:inventory:Address", $"static:127.0.0.1:{inventory}",
                "--ServiceMesh:Http:Services:billing:Address", $"static:127.0.0.1:{billing}",
            ]);
    }

    [Test]
    public async Task The_same_three_programs_use_Redis_when_the_configuration_names_it()
    {
        await using var redis = await RedisServer.StartAsync();
        string[] overRedis = ["--ServiceMesh:Transport", "Redis", "--ServiceMesh:Redis:Configuration", redis.Address];
        await OrderAsync(overRedis, overRedis, overRedis);
    }

    private static async Task OrderAsync(string[] inventoryArgs, string[] billingArgs, string[] ordersArgs)
    {
        using var inventory = await StartAsync("Shop.Inventory", inventoryArgs);
        using var billing = await StartAsync("Shop.Billing", billingArgs);
        var port = FreePort.Next();
        using var orders = await StartAsync("Shop.Orders", [.. ordersArgs, "--Urls", $"http://127.0.0.1:{port}"]);
        using var client = new HttpClient { BaseAddress = new($"http://127.0.0.1:{port}") };

        using var accepted = await client.PostAsJsonAsync("/orders", new Order("lamp", 2));
        using var unknown = await client.PostAsJsonAsync("/orders", new Order("unicorn", 1));

        Assert.That(await accepted.Content.ReadAsStringAsync(), Is.EqualTo("""{"article":"lamp","count":2,"total":50.00}"""));
        Assert.That(unknown.StatusCode, Is.EqualTo(HttpStatusCode.NotFound));
        await orders.TerminateAsync();
        await billing.TerminateAsync(); // drains: what was told is handled
        Assert.That((await billing.EndAsync()).Out, Does.Contain("Bill 50.00 for 2 x lamp"));
    }

    private static async Task<SampleProcess> StartAsync(string program, string[] args)
    {
        var process = SampleProcess.Start(
            program, [.. args, "--Logging:Console:LogToStandardErrorThreshold", "Trace"], SampleProcess.OutputOf(program));
        await process.WaitForErrorLineAsync("Application started");
        return process;
    }
}
