using System.Collections.Immutable;
using Microsoft.Extensions.Logging;

namespace ServiceMesh.Http;

/// <summary>
/// The balancer of one topic, or of one group of a signal. A balancer may be user code: whatever it throws, nodes stay watched, messages
/// are answered, and log and reply name the balancer. Thread-safe.
/// </summary>
/// <param name="name">The name of the balancer in the configuration.</param>
/// <param name="of">The topic or group.</param>
/// <param name="make">Creates the balancer.</param>
/// <param name="logger">The logger.</param>
internal sealed class RouteBalancer(string name, string of, Func<IBalancer> make, ILogger logger) : IBalancer
{
    private volatile IBalancer? _active; // null until a balancer was created and has accepted endpoints
    private volatile string? _trouble;
    private IBalancer? _created;
    private ImmutableArray<Endpoint> _endpoints = [];
    private int _pickHasFailed; // since the last update, so that a failure is logged once and not for every message

    /// <summary>Why the balancer cannot choose; null if it can.</summary>
    public string? Trouble => _trouble;

    /// <summary>Replaces the endpoints. One call at a time. A balancer that throws keeps the endpoints that it has.</summary>
    public void Update(ImmutableArray<Endpoint> endpoints)
    {
        ImmutableInterlocked.InterlockedExchange(ref _endpoints, endpoints);
        try
        {
            _created ??= make();
            _created.Update(endpoints);
            Volatile.Write(ref _pickHasFailed, 0);
            _active = _created;
            _trouble = null;
        }
#pragma warning disable CA1031 // The balancer may be user code, see above.
        catch (Exception failure)
        {
            BalancerLog.UpdateFailed(logger, name, of, failure);
            _trouble = _active is null ? $"the balancer '{name}' threw {failure.GetType().Name}: {failure.Message.TrimEnd('.')}" : null;
        }
    }

    /// <inheritdoc/>
    public Endpoint? Pick(in PickContext context)
    {
        try
        {
            return _active?.Pick(context);
        }
        catch (Exception failure)
#pragma warning restore CA1031
        {
            if (Interlocked.Exchange(ref _pickHasFailed, 1) == 0)
            {
                BalancerLog.PickFailed(logger, name, of, failure);
            }

            return FirstAllowed(context);
        }
    }

    private Endpoint? FirstAllowed(in PickContext context)
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
