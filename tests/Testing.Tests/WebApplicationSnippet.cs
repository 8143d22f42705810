using Microsoft.AspNetCore.Mvc.Testing;
using Microsoft.AspNetCore.TestHost;
using Shop;

namespace ServiceMesh.Testing.Tests;

internal static class WebApplicationSnippet
{
    #region factory
    /// <summary>The web API of the shop, in memory, with fakes in place of the services that it calls.</summary>
    public static WebApplicationFactory<Program> Orders(InMemoryNetwork network) =>
        new WebApplicationFactory<Program>().WithWebHostBuilder(builder => builder.ConfigureTestServices(services => services
            .UseInMemoryTransport(network)
            .ReplaceHandler(ShopTopics.Reserve, (order, _) => 7)
            .ReplaceHandler(ShopTopics.Price, (order, _) => 12.50m)
            .AddMeshTesting()));
    #endregion
}
