using System.Diagnostics.CodeAnalysis;
using System.Diagnostics.Metrics;
using StackExchange.Redis;

namespace ServiceMesh.Redis;

/// <summary>
/// Requests and signals over Redis: the connection, the queue of error reports, and one of two ways to speak: the native wire
/// (<see cref="InboxMesh"/>) or the protocol of Gilmour (<see cref="GilmourMesh"/>).
/// </summary>
[SuppressMessage("Design", "CA1001", Justification = "StopAsync, which every transport has, ends and disposes all of it.")]
internal sealed class RedisTransport(RedisTransportOptions options, int queueCapacity, RedisGaps gaps, IMeterFactory meters) : ITransport
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

    private readonly TransportCapabilities _withOneServer = options.Wire == RedisWire.Gilmour ? s_gilmour : s_capabilities;

    // Each server counts its own connections only.
    private readonly TransportCapabilities _withSeveralServers =
        (options.Wire == RedisWire.Gilmour ? s_gilmour : s_capabilities) with { ReceiverCount = ReceiverCount.Unknown };

    private readonly RedisErrorQueue _errors =
        new(options.Wire == RedisWire.Gilmour ? new GilmourReports() : new NativeReports(options.KeyPrefix), queueCapacity);

    private RedisConnection? _connection;
    private IRedisMesh? _mesh;

    public TransportCapabilities Capabilities => _connection is { PublishCountsAll: false } ? _withSeveralServers : _withOneServer;

    public string Server => options.Servers;

    public TransportHealth Health => _connection?.Health ?? TransportHealth.Healthy;

    public IErrorStore ErrorQueue => _errors;

    /// <summary>The requests of this node that wait for their reply.</summary>
    public int Waiting => Mesh.Waiting;

    private IRedisMesh Mesh => _mesh ?? throw new TransportException("The Redis transport has not started.");

    public async Task StartAsync(TransportContext context, CancellationToken cancellationToken)
    {
        var logger = context.LoggerFactory.CreateLogger("ServiceMesh.Redis");
        var connection = _connection = new(options, new GapWatch(gaps, meters, context.Clock, logger));
        _mesh = options.Wire == RedisWire.Gilmour
            ? new GilmourMesh(options, connection, context, logger)
            : new InboxMesh(options, connection, context, meters, logger);
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
