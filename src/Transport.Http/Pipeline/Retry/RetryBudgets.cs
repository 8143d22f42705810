using System.Collections.Concurrent;

namespace ServiceMesh.Http;

/// <summary>
/// The retry budget of each service of a client, so that the retries of one bad service do not take those of the others. Thread-safe.
/// </summary>
internal sealed class RetryBudgets
{
    private readonly HttpRetryBudgetOptions _settings;
    private readonly TimeProvider _clock;

    // As many as there are services, and one with an empty name for topics that only this node handles.
    private readonly ConcurrentDictionary<string, RetryBudget> _budgets = new(StringComparer.OrdinalIgnoreCase);

    /// <param name="settings">The size of each budget.</param>
    /// <param name="clock">The clock.</param>
    /// <param name="services">The services whose budgets exist from the beginning, for the metric.</param>
    public RetryBudgets(HttpRetryBudgetOptions settings, TimeProvider clock, IEnumerable<string> services)
    {
        (_settings, _clock) = (settings, clock);
        foreach (var service in services)
        {
            Of(service);
        }
    }

    /// <summary>The budget of each service now.</summary>
    public IEnumerable<(string Service, double Available)> Available => _budgets.Select(b => (b.Key, b.Value.Available));

    /// <summary>The budget of a service.</summary>
    public RetryBudget Of(string service) =>
        _budgets.TryGetValue(service, out var known) ? known : _budgets.GetOrAdd(service, _ => new(_settings, _clock));
}
