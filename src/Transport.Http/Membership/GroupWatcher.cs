using System.Collections.Immutable;
using Microsoft.Extensions.Logging;

namespace ServiceMesh.Http;

/// <summary>
/// Keeps one address group up to date: reads the results of its resolver, keeps one <see cref="Endpoint"/> for each address, and passes
/// each new set on. The ejection of the group belongs to it too. If the resolver fails, the last good set stays. Thread-safe.
/// </summary>
internal sealed class GroupWatcher : IAsyncDisposable
{
    private const long Never = long.MinValue;

    private readonly IResolver _resolver;
    private readonly GroupOptions _settings;
    private readonly TimeProvider _clock;
    private readonly ILogger _logger;
    private readonly Action<ImmutableArray<Endpoint>> _changed;
    private readonly CancellationTokenSource _stop = new();
    private readonly TaskCompletionSource _first = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private ImmutableArray<Endpoint> _endpoints = [];
    private string? _failure;
    private long _goodAt = Never;
    private Task _loop = Task.CompletedTask;

    /// <param name="name">The name of the service, for logs and metrics.</param>
    /// <param name="group">The address group.</param>
    /// <param name="resolver">Finds the addresses.</param>
    /// <param name="clock">The clock.</param>
    /// <param name="logger">The logger.</param>
    /// <param name="changed">
    /// Receives each new set, one call at a time, on the watcher's own thread: this is where balancers are updated. It must not throw and
    /// not wait long.
    /// </param>
    /// <param name="settings">The options of its endpoints. Default: all defaults.</param>
    public GroupWatcher(
        string name, AddressGroup group, IResolver resolver, TimeProvider clock, ILogger logger, Action<ImmutableArray<Endpoint>> changed,
        GroupOptions? settings = null)
    {
        _settings = settings ?? new();
        Ejection = new(_settings.Ejection, clock);
        Name = name;
        Group = group;
        _resolver = resolver;
        _clock = clock;
        _logger = logger;
        _changed = changed;
    }

    public string Name { get; }

    public AddressGroup Group { get; }

    /// <summary>The ejection of its endpoints.</summary>
    public OutlierEjection Ejection { get; }

    /// <summary>The endpoints in use: the last good set.</summary>
    public ImmutableArray<Endpoint> Endpoints => _endpoints;

    /// <summary>Completes with the first result or failure; after that no request needs to wait. It does not fail.</summary>
    public Task FirstResult => _first.Task;

    /// <summary>Why the resolver fails; null while it does not.</summary>
    public string? Failure => Volatile.Read(ref _failure);

    /// <summary>Why the set is empty, when it is; a part of a sentence.</summary>
    public string WhyEmpty =>
        Failure?.TrimEnd('.') ?? $"'{Group}' has {(FirstResult.IsCompleted ? "no address" : "not been resolved yet")}";

    /// <summary>The age of the set in use: the time since the last good result; null before the first.</summary>
    public TimeSpan? Age => Volatile.Read(ref _goodAt) is var at && at != Never ? _clock.GetElapsedTime(at) : null;

    /// <summary>Begins to watch. Call it once.</summary>
    public void Start() => _loop = CleanContext.RunAsync(RunAsync);

    /// <summary>
    /// A request found no endpoint, or could not reach one. When no endpoint of the set answers, the resolver is asked again. An empty
    /// answer holds for its time; an empty set after a failure does not.
    /// </summary>
    public void AskAgainIfNoneAnswers()
    {
        if (_endpoints.IsEmpty ? Failure is not null : _endpoints.All(e => e.LastFailed || e.State != EndpointState.Healthy))
        {
            _resolver.AskAgain();
        }
    }

    /// <summary>Ends the watch and waits until it has ended. The set stays readable.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync().ConfigureAwait(false);
        await _loop.ConfigureAwait(false);
        Ejection.Dispose();
        _stop.Dispose();
    }

    private async Task RunAsync()
    {
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                await foreach (var result in _resolver.WatchAsync(_stop.Token).ConfigureAwait(false))
                {
                    Take(result);
                }
            }
            catch (OperationCanceledException) when (_stop.IsCancellationRequested)
            {
                return;
            }
#pragma warning disable CA1031 // A resolver may be user code: whatever it throws, the group must stay watched.
            catch (Exception failure)
#pragma warning restore CA1031
            {
                Take(ResolverResult.Failed($"The resolver of '{Group}' ended: {failure.Message}"));
            }

            // A resolver should neither throw nor end. It is started again after a pause.
            await Task.Delay(TimeSpan.FromSeconds(5), _clock, _stop.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private void Take(ResolverResult result)
    {
        if ((result.Failure ?? WhyUnusable(result.Addresses)) is { } failure)
        {
            if (Interlocked.Exchange(ref _failure, failure) != failure)
            {
                DiscoveryLog.ResolveFailed(_logger, Name, failure, _endpoints.Length);
            }
        }
        else
        {
            if (Interlocked.Exchange(ref _failure, null) is not null)
            {
                DiscoveryLog.ResolveRecovered(_logger, Name);
            }

            // The first endpoints take their full share at once; later ones start slowly.
            var isFirst = Interlocked.Exchange(ref _goodAt, _clock.GetTimestamp()) == Never;
            Replace(result.Addresses, isFirst);
        }

        _first.TrySetResult();
    }

    // An address becomes part of URIs and headers, and a resolver may be user code.
    private string? WhyUnusable(ImmutableArray<ResolvedAddress> addresses)
    {
        if (addresses.IsDefault || addresses.Contains(null!))
        {
            return $"The resolver of '{Group}' returned null in place of an address.";
        }

        var problem = addresses.Select(a => a.Problem).FirstOrDefault(p => p is not null);
        return problem is null ? null : $"The resolver of '{Group}' returned an invalid address: {problem}.";
    }

    private void Replace(ImmutableArray<ResolvedAddress> addresses, bool isFirst)
    {
        var before = _endpoints.ToDictionary(e => Identity(e.Address));
        var next = ImmutableArray.CreateBuilder<Endpoint>(addresses.Length);
        var isChanged = isFirst;

        // If an address is listed twice, one entry counts: the same one in every order of the list.
        foreach (var address in addresses.OrderBy(a => a.Priority).ThenByDescending(a => a.Weight).DistinctBy(Identity))
        {
            if (!before.Remove(Identity(address), out var endpoint))
            {
                endpoint = new(address, _clock, warm: isFirst) { MaxInFlight = _settings.ConcurrencyPerEndpoint };
                EndpointProtection.Add(endpoint, _settings.CircuitBreaker);
                isChanged = true;
            }
            else if (endpoint.Address != address)
            {
                endpoint.Address = address;
                isChanged = true;
            }

            next.Add(endpoint);
        }

        if (!isChanged && before.Count == 0)
        {
            return;
        }

        ImmutableInterlocked.InterlockedExchange(ref _endpoints, next.ToImmutable());
        Ejection.Update(_endpoints);
        DiscoveryLog.Resolved(_logger, Name, _endpoints.Length, before.Count);
        if (_endpoints.IsEmpty && before.Count > 0)
        {
            DiscoveryLog.LastAddressLost(_logger, Name, WhyEmpty);
        }

        _changed(_endpoints);
    }

    // The connections depend on these values: a change of one of them makes another endpoint.
    private static (string, int, string, string?, bool?) Identity(ResolvedAddress address) =>
        (address.Host, address.Port, address.Path, address.Name, address.Tls);
}
