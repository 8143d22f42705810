extern alias Orders;

using System.Net;
using System.Net.Http.Json;
using Microsoft.AspNetCore.Mvc.Testing;
using Microsoft.AspNetCore.TestHost;
using Microsoft.Extensions.DependencyInjection;
using ServiceMesh.Testing;
using Shop;

namespace ServiceMesh.Samples.Tests;

/// <summary>The shop as its own team tests it: in one process, with the package ServiceMesh.Testing.</summary>
public sealed class ShopInMemoryTests
{
    #region handler
    [Test]
    public async Task The_inventory_answers_with_what_is_left()
    {
        var handler = new ReserveHandler(new Stock());

        var left = await handler.HandleAsync(new Order("lamp", 4), new TestHandlerContext(ShopTopics.Reserve.Topic));

        Assert.That(left, Is.EqualTo(6));
    }
    #endregion

    [Test]
    public async Task An_order_is_reserved_priced_and_told()
    {
        await using var services = await MeshTestHost.StartAsync(
            bus => bus
                .AddHandler<ReserveHandler>(ShopTopics.Reserve)
                .AddHandler(ShopTopics.Price, (order, _) => order.Count * 10m),
            new() { ConfigureServices = s => s.AddSingleton<Stock>() });
        await using var orders = new WebApplicationFactory<Orders::Program>().WithWebHostBuilder(web =>
            web.ConfigureTestServices(s => s.UseInMemoryTransport(services.Network).AddMeshTesting()));
        var sent = orders.Services.GetRequiredService<SentMessages>();

        using var accepted = await orders.CreateClient().PostAsJsonAsync("/orders", new Order("table", 2));
        using var refused = await orders.CreateClient().PostAsJsonAsync("/orders", new Order("table", 1));

        Assert.That(await accepted.Content.ReadFromJsonAsync<Receipt>(), Is.EqualTo(new Receipt("table", 2, 20m)));
        Assert.That(refused.StatusCode, Is.EqualTo(HttpStatusCode.Conflict));
        sent.AssertOne(ShopTopics.Ordered, receipt => receipt.Total == 20m);
    }
}
