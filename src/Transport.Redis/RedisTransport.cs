using System.Diagnostics.CodeAnalysis;
using System.Diagnostics.Metrics;
using StackExchange.Redis;

namespace ServiceMesh.Redis;

/// <summary>
/// Requests and signals over Redis: the connection, the queue of error reports, and one of two ways to speak: the native wire
/// (<see cref="InboxMesh"/>) or the protocol of Gilmour (<see cref="GilmourMesh"/>).
/// </summary>
[SuppressMessage("Design", "CA1001", Justification = "StopAsync, which every transport has, ends and disposes all of it.")]
internal sealed class RedisTransport : ITransport
{
    private static readonly TransportCapabilities s_capabilities = new()
    {
        System = "redis",
        Features = TransportFeatures.Patterns | TransportFeatures.SignalGroups | TransportFeatures.OrderedDelivery
            | TransportFeatures.Cancellation | TransportFeatures.RequestsReachEveryGroup,
        ReceiverCount = ReceiverCount.Deliveries,
        ReleasesTokens = true,
        MaxBodyBytes = 500 * 1024 * 1024, // Redis takes values of 512 MiB
    };

    private static readonly TransportCapabilities s_gilmour = s_capabilities with { AllowsAnyGroupName = true };

    private readonly RedisTransportOptions _options;
    private readonly RedisGaps _gaps;
    private readonly IMeterFactory _meters;
    private readonly TransportCapabilities _withOneServer;
    private readonly TransportCapabilities _withSeveralServers;
    private readonly NodeSeal? _seal;
    private readonly RedisErrorQueue _errors;
    private RedisConnection? _connection;
    private IRedisMesh? _mesh;

    public RedisTransport(RedisTransportOptions options, int queueCapacity, RedisGaps gaps, IMeterFactory meters)
    {
        (_options, _gaps, _meters) = (options, gaps, meters);
        var isGilmour = options.Wire == RedisWire.Gilmour;
        _withOneServer = isGilmour ? s_gilmour : s_capabilities;
        // Each server counts its own connections only.
        _withSeveralServers = _withOneServer with { ReceiverCount = ReceiverCount.Unknown };
        _seal = SealKeys.Of(options.Keys) is { } keys ? new(keys) : null;
        var reports = new NativeReports(options.KeyPrefix);
        _errors = new(isGilmour ? new GilmourReports() : _seal is null ? reports : new SealedReports(reports, _seal), queueCapacity);
    }

    public TransportCapabilities Capabilities => _connection is { PublishCountsAll: false } ? _withSeveralServers : _withOneServer;

    public string Server => _options.Servers;

    public TransportHealth Health => _connection?.Health ?? TransportHealth.Healthy;

    public IErrorStore ErrorQueue => _errors;

    /// <summary>The requests of this node that wait for their reply.</summary>
    public int Waiting => Mesh.Waiting;

    private IRedisMesh Mesh => _mesh ?? throw new TransportException("The Redis transport has not started.");

    public async Task StartAsync(TransportContext context, CancellationToken cancellationToken)
    {
        var logger = context.LoggerFactory.CreateLogger("ServiceMesh.Redis");
        var connection = _connection = new(_options, new GapWatch(_gaps, _meters, context.Clock, logger));
        _mesh = _options.Wire == RedisWire.Gilmour
            ? new GilmourMesh(_options, connection, context, logger)
            : new InboxMesh(_options, connection, _seal, context, _meters, logger);
        _errors.Open(connection, context);
        try
        {
            await Pool.ReturnAsync(OpenAsync(connection, _mesh, context, cancellationToken)).ConfigureAwait(false);
        }
        catch
        {
            await StopAsync(CancellationToken.None).ConfigureAwait(false);
            throw;
        }
    }

    public Task DrainAsync(CancellationToken cancellationToken) => Pool.ReturnAsync(Mesh.DrainAsync(cancellationToken));

    public async Task StopAsync(CancellationToken cancellationToken)
    {
        try
        {
            await Mesh.StopAsync(cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            await Pool.ReturnAsync(_connection!.CloseAsync()).ConfigureAwait(false);
        }
    }

    public ValueTask<ReplyMessage> RequestAsync(Message request, CancellationToken cancellationToken) =>
        Mesh.RequestAsync(request, cancellationToken);

    public ValueTask<SignalResult> SignalAsync(Message signal, CancellationToken cancellationToken) =>
        Mesh.SignalAsync(signal, cancellationToken);

    public async Task<IReadOnlyList<NodeInfo>> ListNodesAsync(CancellationToken cancellationToken)
    {
        try
        {
            return await Pool.ReturnAsync(Mesh.ListAsync(cancellationToken)).ConfigureAwait(false);
        }
        catch (Exception failure) when (failure is RedisException or TimeoutException)
        {
            throw new TransportException($"Redis did not say which nodes there are: {Printable.Line(failure.Message)}", failure);
        }
    }

    public Task SubscribeAsync(IReadOnlyCollection<Subscription> subscriptions, CancellationToken cancellationToken) =>
        Pool.ReturnAsync(Mesh.SubscribeAsync(subscriptions, cancellationToken));

    public Task UnsubscribeAsync(Subscription subscription, CancellationToken cancellationToken) =>
        Pool.ReturnAsync(Mesh.UnsubscribeAsync(subscription, cancellationToken));

    private static async Task OpenAsync(
        RedisConnection connection, IRedisMesh mesh, TransportContext context, CancellationToken cancellationToken)
    {
        await connection.OpenAsync(context, mesh, cancellationToken).ConfigureAwait(false);
        await mesh.StartAsync(cancellationToken).ConfigureAwait(false);
    }
}
