using System.Collections.Immutable;

namespace ServiceMesh.Http;

/// <summary>
/// One configured service as HttpClients see it: its addresses, the balancer over them, and the layers through which
/// requests go. It begins to look for its addresses with the first request. Thread-safe.
/// </summary>
internal sealed class ClientService(Service service, IBalancer balancer, ClientServices owner) : IAsyncDisposable
{
    private readonly Lock _lock = new();
    private GroupWatcher? _group;

    public string Name => service.Name;

    public Service Service => service;

    public CallSettings Settings => service.Calls;

    public IBalancer Balancer => balancer;

    /// <summary>Its addresses; once there was a request.</summary>
    public GroupWatcher Group => Volatile.Read(ref _group)!;

    public HttpTransportOptions Client => owner.Options;

    public Connections Connections => owner.Connections;

    public TimeProvider Clock => owner.Clock;

    /// <summary>Sends a request to one of its servers.</summary>
    /// <exception cref="HttpRequestException">There is no answer; the message says why.</exception>
    /// <exception cref="OperationCanceledException">The token fired, or a timeout did: then the inner exception says which.</exception>
    public async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        var group = Volatile.Read(ref _group) ?? Start();
        if (!group.FirstResult.IsCompleted)
        {
            await FirstAddressesAsync(group, cancellationToken).ConfigureAwait(false);
        }

        var call = HttpCall.Of(request, this);
        return call.Complete(await owner.Layers.SendAsync(call, cancellationToken).ConfigureAwait(false));
    }

    /// <summary>Why no endpoint takes a request; the circuit that admits a trial first, where all are open.</summary>
    public Exception WhyNobodyCanTake()
    {
        var endpoints = Group.Endpoints;
        if (endpoints.IsEmpty)
        {
            return new RequestNotSentException($"Service '{Name}' has no endpoint: {Group.Failure ?? $"{Group.Group.Text} has no address"}.");
        }

        var full = endpoints.Where(e => e is { State: EndpointState.Healthy, IsFull: true }).ToArray();
        if (full.Length > 0)
        {
            return new RequestNotSentException(
                $"No endpoint of service '{Name}' takes a request now: {string.Join(", ", endpoints.Take(3).Select(Describe))}, and no endpoint gets more than {full[0].MostInFlight} at once, which is as many as ServiceMesh:Http:Limits:ConcurrencyPerEndpoint allows.");
        }

        var open = endpoints.Where(e => !e.Breaker.WouldAdmit).Select(e => e.Breaker.Refusal()).MinBy(r => r.RetryAfter ?? TimeSpan.MaxValue);
        return open is null
            ? new RequestNotSentException($"No endpoint of service '{Name}' takes a request now: {string.Join(", ", endpoints.Take(3).Select(Describe))}.")
            : open;
    }

    public ValueTask DisposeAsync() => service.DisposeAsync();

    private GroupWatcher Start()
    {
        lock (_lock)
        {
            if (_group is null)
            {
                service.Start(owner.Watch, Update);
                Volatile.Write(ref _group, service.Group);
            }

            return _group;
        }
    }

    private void Update(ImmutableArray<Endpoint> endpoints)
    {
        try
        {
            balancer.Update(endpoints);
        }
#pragma warning disable CA1031 // A balancer may be the application's own: whatever it throws, the addresses must stay watched.
        catch (Exception failure)
#pragma warning restore CA1031
        {
            HttpLog.BalancerFailed(owner.Logger, service.Settings.Balancer, Name, failure);
        }
    }

    private async Task FirstAddressesAsync(GroupWatcher group, CancellationToken cancellationToken)
    {
        try
        {
            await group.FirstResult.WaitAsync(Client.Timeouts.Connect, Clock, cancellationToken).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            // The request fails, and says that there is no address.
        }
    }

    private string Describe(Endpoint endpoint) => $"{service.Describe(endpoint)} has {endpoint.InFlight} under way";
}
