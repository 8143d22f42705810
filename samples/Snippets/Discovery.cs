using System.Collections.Immutable;
using System.Net;
using System.Runtime.CompilerServices;
using DnsClient;
using Microsoft.Extensions.DependencyInjection;
using ServiceMesh;
using ServiceMesh.Http;

namespace Snippets;

#region balancer
/// <summary>Picks the first endpoint of the list that can take the request: a main server, and standby servers after it.</summary>
public sealed class FirstOfList : IBalancer
{
    private ImmutableArray<Endpoint> _endpoints = [];

    public void Update(ImmutableArray<Endpoint> endpoints) =>
        ImmutableInterlocked.InterlockedExchange(ref _endpoints, endpoints);

    public Endpoint? Pick(in PickContext context)
    {
        Endpoint? tried = null;
        foreach (var endpoint in _endpoints)
        {
            if (context.Allows(endpoint))
            {
                return endpoint;
            }

            tried ??= endpoint.CanTake ? endpoint : null;
        }

        return tried;
    }
}
#endregion

/// <summary>Where an application keeps its list of servers.</summary>
public interface IInventory
{
    Task<IReadOnlyList<(string Host, int Port)>> FindAsync(string service, CancellationToken cancellationToken);
}

#region resolver
/// <summary>Finds servers in the application's own inventory: <c>inventory://weather</c>.</summary>
public sealed class InventoryResolver(AddressGroup group, ResolverContext context, IInventory inventory) : IResolver
{
    private static readonly TimeSpan s_interval = TimeSpan.FromSeconds(10);

    public async IAsyncEnumerable<ResolverResult> WatchAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        while (true)
        {
            yield return await AskAsync(cancellationToken);
            await Task.Delay(s_interval, context.Clock, cancellationToken);
        }
    }

    private async Task<ResolverResult> AskAsync(CancellationToken cancellationToken)
    {
        try
        {
            var servers = await inventory.FindAsync(group.Target, cancellationToken);
            return ResolverResult.Found([.. servers.Select(s => new ResolvedAddress(s.Host, s.Port))], s_interval);
        }
        catch (IOException failure)
        {
            // Not an empty list: the servers that were known stay in use.
            return ResolverResult.Failed($"The inventory did not answer about '{group}': {failure.Message}");
        }
    }
}
#endregion

public static class Discovery
{
    #region register
    public static IServiceMeshBuilder AddInventory(this IServiceMeshBuilder mesh) => mesh
        .AddBalancer("FirstOfList", _ => new FirstOfList())
        .AddResolver(
            "inventory", (provider, group, context) => new InventoryResolver(group, context, provider.GetRequiredService<IInventory>()));
    #endregion

    #region dns
    /// <summary>DNS over TCP of one server, in place of the client that ServiceMesh makes for itself.</summary>
    public static IServiceCollection AddOwnDnsClient(this IServiceCollection services, IPEndPoint server)
    {
        var options = new LookupClientOptions(server) { UseTcpOnly = true, UseCache = false, Timeout = TimeSpan.FromSeconds(1) };
        return services.AddSingleton<ILookupClient>(new LookupClient(options));
    }
    #endregion
}
