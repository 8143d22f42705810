using System.Diagnostics.Metrics;

namespace ServiceMesh.Http;

/// <summary>The counters of the client's layers. They cost almost nothing while there is no listener.</summary>
internal sealed class ClientMetrics
{
    public const string Bus = "bus";
    public const string HttpClients = "http_clients";

    private readonly Counter<long> _retries;
    private readonly Counter<long> _picks;
    private readonly Counter<long> _refusals;
    private readonly Counter<long> _transitions;
    private readonly Counter<long> _ejections;

    /// <param name="meter">The meter; it owns the instruments.</param>
    /// <param name="kind">
    /// The caller: <see cref="Bus"/> or <see cref="HttpClients"/>. It is a tag of measurements of the client as a whole.
    /// </param>
    /// <param name="busName">The name of the bus, or of the bus whose services the HttpClients use; empty for the default bus.</param>
    public ClientMetrics(Meter meter, string kind = Bus, string busName = "")
    {
        Meter = meter;
        Client =
        [
            new("servicemesh.client", kind),
            .. busName.Length > 0 ? [new("servicemesh.bus", busName)] : Array.Empty<KeyValuePair<string, object?>>(),
        ];
        _retries = meter.CreateCounter<long>(
            "servicemesh.http.retries", "{attempt}", "Further attempts, by reason; budget-empty counts those that were not made.");
        _picks = meter.CreateCounter<long>("servicemesh.http.picks", "{attempt}", "Attempts, by the endpoint that was chosen.");
        _transitions = meter.CreateCounter<long>(
            "servicemesh.http.circuit_breaker.transitions", "{transition}", "Changes of endpoints' circuits, by the new state.");
        _ejections = meter.CreateCounter<long>(
            "servicemesh.http.ejections", "{ejection}", "Endpoints that were ejected because they were worse than their peers, by reason.");
        _refusals = meter.CreateCounter<long>(
            "servicemesh.http.refused", "{request}", "Requests that were refused before anything was sent, by reason.");
    }

    public Meter Meter { get; }

    /// <summary>The tags of the client as a whole.</summary>
    public KeyValuePair<string, object?>[] Client { get; }

    /// <summary>Publishes what is left of the retry budgets.</summary>
    /// <param name="budgets">The number of retries that are allowed now, by service.</param>
    public void ObserveBudgets(Func<IEnumerable<(string Service, double Available)>> budgets) =>
        Meter.CreateObservableGauge(
            "servicemesh.http.retry_budget",
            () => budgets().Select(b => new Measurement<double>(
                Math.Max(0, b.Available), [new("servicemesh.service", b.Service), .. Client])),
            "{attempt}", "Retries that the budget of a service allows now.");

    public void Retried(string service, string reason)
    {
        if (_retries.Enabled)
        {
            _retries.Add(1, new("servicemesh.service", service), new("servicemesh.reason", reason));
        }
    }

    public void Picked(string service, Endpoint endpoint)
    {
        if (_picks.Enabled)
        {
            var address = endpoint.Address;
            _picks.Add(1, new("servicemesh.service", service), new("server.address", address.Host), new("server.port", address.Port));
        }
    }

    public void Refused(string service, string reason)
    {
        if (_refusals.Enabled)
        {
            _refusals.Add(1, new("servicemesh.service", service), new("servicemesh.reason", reason));
        }
    }

    public void CircuitChanged(string service, Endpoint endpoint, CircuitChange change)
    {
        if (_transitions.Enabled)
        {
            var address = endpoint.Address;
            _transitions.Add(
                1, new("servicemesh.service", service), new("server.address", address.Host), new("server.port", address.Port),
                new("servicemesh.circuit.state", change.To.ToString()));
        }
    }

    public void Ejected(string service, Endpoint endpoint, EjectionCause cause)
    {
        if (_ejections.Enabled)
        {
            var address = endpoint.Address;
            _ejections.Add(
                1, new("servicemesh.service", service), new("server.address", address.Host), new("server.port", address.Port),
                new("servicemesh.reason", cause.ToString()));
        }
    }
}
