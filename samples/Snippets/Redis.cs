using Microsoft.Extensions.DependencyInjection;
using ServiceMesh;
using ServiceMesh.Redis;
using StackExchange.Redis;

namespace Snippets;

#region gaps
public sealed class Prices(RedisGaps gaps, IServiceBus bus)
{
    public void Watch() => gaps.Ended += (_, gap) => _ = ReloadAsync(gap.From);

    #endregion
    private async Task ReloadAsync(DateTimeOffset since) => await bus.SignalAsync(new SignalTopic<DateTimeOffset>("prices.reload"), since);
}

public static class Redis
{
    public static void HandIn(IServiceMeshBuilder mesh, IConnectionMultiplexer connection)
    {
        #region handed-in
        mesh.AddRedisTransportFromServices();          // the IConnectionMultiplexer of the container
        mesh.AddRedisTransportFromServices("cache");   // the one with this key
        mesh.AddRedisTransport(connection);
        mesh.AddRedisTransport(
            async (services, cancellationToken) => await services.GetRequiredService<Lazy<Task<ConnectionMultiplexer>>>().Value);
        #endregion
    }
}
