using System.Collections.Immutable;
using Microsoft.Extensions.Logging;

namespace ServiceMesh.Http;

/// <summary>
/// The balancer of one topic, or of one group of a signal. A balancer may be the application's own: whatever it throws,
/// nodes stay watched, messages are answered, and both log and answer say whose fault it is. Thread-safe.
/// </summary>
/// <param name="name">The balancer's name in configuration.</param>
/// <param name="of">The topic or group.</param>
/// <param name="make">Makes the balancer.</param>
/// <param name="logger">Where it logs.</param>
internal sealed class RouteBalancer(string name, string of, Func<IBalancer> make, ILogger logger) : IBalancer
{
    private volatile IBalancer? _chosen; // null until one has been made and has taken endpoints
    private volatile string? _trouble;
    private IBalancer? _made;
    private ImmutableArray<Endpoint> _endpoints = [];
    private int _pickHasFailed; // since the last update, so that it is logged once and not for every message

    /// <summary>Why it can choose nothing; null when it can.</summary>
    public string? Trouble => _trouble;

    /// <summary>These are the endpoints from now on. One call at a time; a balancer that throws keeps those that it has.</summary>
    public void Update(ImmutableArray<Endpoint> endpoints)
    {
        ImmutableInterlocked.InterlockedExchange(ref _endpoints, endpoints);
        try
        {
            _made ??= make();
            _made.Update(endpoints);
            Volatile.Write(ref _pickHasFailed, 0);
            _chosen = _made;
            _trouble = null;
        }
#pragma warning disable CA1031 // It may be the application's own, see above.
        catch (Exception failure)
        {
            HttpLog.BalancerFailed(logger, name, of, failure);
            _trouble = _chosen is null ? $"the balancer '{name}' threw {failure.GetType().Name}: {failure.Message.TrimEnd('.')}" : null;
        }
    }

    /// <inheritdoc/>
    public Endpoint? Pick(in PickContext context)
    {
        try
        {
            return _chosen?.Pick(context);
        }
        catch (Exception failure)
#pragma warning restore CA1031
        {
            if (Interlocked.Exchange(ref _pickHasFailed, 1) == 0)
            {
                HttpLog.PickFailed(logger, name, of, failure);
            }

            return FirstOf(context);
        }
    }

    private Endpoint? FirstOf(in PickContext context)
    {
        foreach (var endpoint in _endpoints)
        {
            if (context.Allows(endpoint))
            {
                return endpoint;
            }
        }

        return null;
    }
}
