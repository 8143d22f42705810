using System.Collections.Immutable;

namespace ServiceMesh.Http;

/// <summary>
/// One configured service for HttpClients: its addresses, the balancer over them, and the pipeline for its requests. It begins to resolve
/// its addresses with the first request. Thread-safe.
/// </summary>
internal sealed class ClientService(Service service, IBalancer balancer, ClientServices owner) : IAsyncDisposable
{
    private readonly Lock _lock = new();
    private GroupWatcher? _group;
    private bool _hasEnded;

    public string Name => service.Name;

    public Service Service => service;

    public CallSettings Settings => service.Calls;

    public IBalancer Balancer => balancer;

    /// <summary>The watch of its addresses, after the first request.</summary>
    public GroupWatcher Group => Volatile.Read(ref _group)!;

    public HttpTransportOptions Client => owner.Options;

    public ConnectionPool Connections => owner.Connections;

    public TimeProvider Clock => owner.Clock;

    public TimedScopes Scopes => owner.Pipeline.Scopes;

    /// <summary>Sends a request to one of its servers.</summary>
    /// <exception cref="HttpRequestException">There is no response; the message says why.</exception>
    /// <exception cref="TaskCanceledException">The token fired, or a timeout fired: then the inner exception says which.</exception>
    public Task<HttpResponseMessage> SendAsync(
        HttpRequestMessage request, ServiceMeshClientOptions client, CancellationToken cancellationToken)
    {
        if (Volatile.Read(ref _group) is null)
        {
            Start();
        }

        return SendAsync(HttpCall.Of(request, this, client, isSync: false, cancellationToken), cancellationToken);
    }

    /// <summary>
    /// The same on the thread of the caller, over HTTP/1.1. A server that has only HTTP/2, and a request that is hedged, needs other
    /// threads too: then this thread waits for them.
    /// </summary>
    public HttpResponseMessage Send(HttpRequestMessage request, ServiceMeshClientOptions client, CancellationToken cancellationToken)
    {
        if (Volatile.Read(ref _group) is null)
        {
            Start();
        }

        var isHttp2 = service.Settings.Http2 && !ServiceUri.DemandsTls(request.RequestUri!);
        var call = HttpCall.Of(request, this, client, isSync: !isHttp2, cancellationToken);
        call = call.IsHedged ? HttpCall.Of(request, this, client, isSync: false, cancellationToken) : call;
        return SendAsync(call, cancellationToken).GetAwaiter().GetResult();
    }

    /// <summary>Completes when the first addresses are known, or after the connect timeout.</summary>
    public ValueTask ReadyAsync(CancellationToken cancellationToken) =>
        Group.FirstResult.IsCompleted ? default : new(FirstAddressesAsync(cancellationToken));

    /// <summary>Why no endpoint takes a request. If all circuits are open, the one that admits a trial first.</summary>
    public Exception WhyNoEndpoint()
    {
        Group.AskAgainIfNoneAnswers();
        var endpoints = Group.Endpoints;
        if (endpoints.IsEmpty)
        {
            return new RequestNotSentException($"Service '{Name}' has no endpoint: {Group.WhyEmpty}.");
        }

        return endpoints.All(e => UnavailableReasons.Of(e) == UnavailableReason.CircuitOpen)
            ? endpoints.Select(e => e.Breaker.Refusal()).MinBy(r => r.RetryAfter ?? TimeSpan.MaxValue)!
            : new RequestNotSentException(
                $"No endpoint of service '{Name}' takes a request now: {string.Join("; ", endpoints.Take(5).Select(Describe))}.");
    }

    public ValueTask DisposeAsync()
    {
        lock (_lock)
        {
            _hasEnded = true;
        }

        return service.DisposeAsync();
    }

    private async Task<HttpResponseMessage> SendAsync(HttpCall call, CancellationToken cancellationToken)
    {
        AttemptResult<HttpResponseMessage> result;
        try
        {
            result = await owner.Pipeline.SendAsync(call, cancellationToken).ConfigureAwait(false);
        }
        catch (OperationCanceledException cancelled)
            when (cancelled is not TaskCanceledException || cancelled.CancellationToken != cancellationToken)
        {
            // The platform throws this type, and some callers catch no other. The token is the caller's own.
            throw new TaskCanceledException(cancelled.Message, cancelled, cancellationToken);
        }

        return call.Complete(result);
    }

    private void Start()
    {
        lock (_lock)
        {
            if (_hasEnded)
            {
                // The configuration changed between the look for the service and its first request.
                throw new HttpRequestException(
                    HttpRequestError.ConnectionError, $"The configuration of service '{Name}' has just changed. Send the request again.");
            }

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
#pragma warning disable CA1031 // A balancer may be user code: whatever it throws, the addresses must stay watched.
        catch (Exception failure)
#pragma warning restore CA1031
        {
            BalancerLog.UpdateFailed(owner.Logger, service.Settings.Balancer, Name, failure);
        }
    }

    private async Task FirstAddressesAsync(CancellationToken cancellationToken)
    {
        try
        {
            await Group.FirstResult.WaitAsync(service.ConnectLimit, Clock, cancellationToken).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            // The request fails, and its exception says that the name has not been resolved yet.
        }
    }

    private string Describe(Endpoint endpoint) =>
        $"{service.Describe(endpoint)} {UnavailableReasons.Describe(endpoint, UnavailableReasons.Of(endpoint))}";
}
