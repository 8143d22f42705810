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
        if (Volatile.Read(ref _group) is null)
        {
            Start();
        }

        var call = HttpCall.Of(request, this);
        return call.Complete(await owner.Layers.SendAsync(call, cancellationToken).ConfigureAwait(false));
    }

    /// <summary>Ends when its first addresses are known, or are not within the time for a connection.</summary>
    public ValueTask ReadyAsync(CancellationToken cancellationToken) => Group.FirstResult.IsCompleted ? default : new(FirstAddressesAsync(cancellationToken));

    /// <summary>Why no endpoint takes a request; the circuit that admits a trial first, where all are open.</summary>
    public Exception WhyNobodyCanTake()
    {
        Group.AskAgainIfNoneAnswers();
        var endpoints = Group.Endpoints;
        if (endpoints.IsEmpty)
        {
            return new RequestNotSentException($"Service '{Name}' has no endpoint: {Group.WhyEmpty}.");
        }

        return endpoints.All(e => Obstacles.Of(e) == Obstacle.Open)
            ? endpoints.Select(e => e.Breaker.Refusal()).MinBy(r => r.RetryAfter ?? TimeSpan.MaxValue)!
            : new RequestNotSentException($"No endpoint of service '{Name}' takes a request now: {string.Join("; ", endpoints.Take(5).Select(Describe))}.");
    }

    public ValueTask DisposeAsync() => service.DisposeAsync();

    private void Start()
    {
        lock (_lock)
        {
            if (_group is null)
            {
                service.Start(owner.Watch, Update);
                Volatile.Write(ref _group, service.Group);
            }
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

    private async Task FirstAddressesAsync(CancellationToken cancellationToken)
    {
        try
        {
            await Group.FirstResult.WaitAsync(Client.Timeouts.ConnectLimit, Clock, cancellationToken).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            // The request fails, and says that the addresses are not known yet.
        }
    }

    private string Describe(Endpoint endpoint) => $"{service.Describe(endpoint)} {Obstacles.Describe(endpoint, Obstacles.Of(endpoint))}";
}
