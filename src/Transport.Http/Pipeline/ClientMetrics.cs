using System.Diagnostics.Metrics;

namespace ServiceMesh.Http;

/// <summary>What the layers of a client count. Costs next to nothing while nobody listens.</summary>
internal sealed class ClientMetrics
{
    public const string Bus = "bus";
    public const string HttpClients = "http_clients";

    private readonly Counter<long> _retries;
    private readonly Counter<long> _picks;
    private readonly Counter<long> _refusals;

    private readonly Counter<long> _transitions;
    private readonly Counter<long> _ejections;
    private readonly Meter _meter;
    private readonly KeyValuePair<string, object?>[] _client;

    /// <param name="meter">Whose they are.</param>
    /// <param name="kind">Who asks: <see cref="Bus"/> or <see cref="HttpClients"/>. It stands beside what is measured of the client as a whole.</param>
    /// <param name="busName">The bus's name, or that of the bus whose services the HttpClients use; empty for the one without a name.</param>
    public ClientMetrics(Meter meter, string kind = Bus, string busName = "")
    {
        _meter = meter;
        _client = [new("servicemesh.client", kind), .. busName.Length > 0 ? [new("servicemesh.bus", busName)] : Array.Empty<KeyValuePair<string, object?>>()];
        _retries = meter.CreateCounter<long>("servicemesh.http.retries", "{attempt}", "Further attempts, by reason; budget-empty are those that were not made.");
        _picks = meter.CreateCounter<long>("servicemesh.http.picks", "{attempt}", "Attempts, by the endpoint that was chosen.");
        _transitions = meter.CreateCounter<long>("servicemesh.http.circuit_breaker.transitions", "{transition}", "Changes of endpoints' circuits, by the state they lead to.");
        _ejections = meter.CreateCounter<long>("servicemesh.http.ejections", "{ejection}", "Endpoints that were left out for being worse than their peers, by reason.");
        _refusals = meter.CreateCounter<long>("servicemesh.http.refused", "{request}", "Requests refused before anything was sent, by reason.");
    }

    /// <summary>Publishes what is left of the budget.</summary>
    public void Observe(RetryBudget budget) =>
        _meter.CreateObservableGauge(
            "servicemesh.http.retry_budget", () => new Measurement<double>(Math.Max(0, budget.Available), _client), "{attempt}", "Retries that the budget allows now.");

    /// <summary>Publishes what is known of the addresses.</summary>
    /// <param name="groups">Those that are looked for at the moment of a measurement.</param>
    public void Observe(Func<IEnumerable<GroupWatcher>> groups) => DiscoveryMetrics.Observe(_meter, groups, _client);

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
            _picks.Add(1, new("servicemesh.service", service), new("server.address", endpoint.Address.Host), new("server.port", endpoint.Address.Port));
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
            _transitions.Add(1, new("servicemesh.service", service), new("server.address", endpoint.Address.Host), new("server.port", endpoint.Address.Port), new("servicemesh.circuit.state", change.To.ToString()));
        }
    }

    public void Ejected(string service, Endpoint endpoint, EjectionCause cause)
    {
        if (_ejections.Enabled)
        {
            _ejections.Add(1, new("servicemesh.service", service), new("server.address", endpoint.Address.Host), new("server.port", endpoint.Address.Port), new("servicemesh.reason", cause.ToString()));
        }
    }
}
