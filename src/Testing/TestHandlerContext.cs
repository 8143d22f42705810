using System.Security.Claims;
using Microsoft.Extensions.DependencyInjection;

namespace ServiceMesh.Testing;

/// <summary>
/// A context for a unit test that calls a handler without a bus. After the call, <see cref="HandlerContext.Status"/> and
/// <see cref="HandlerContext.ReplyHeaders"/> have what the handler set. Thread-safe as the context of a message is. Dispose one whose
/// handler sends, unless it was given a bus.
/// </summary>
/// <example>
/// <code source="samples/Snippets/Testing.cs" region="context" />
/// </example>
public sealed class TestHandlerContext : HandlerContext, IAsyncDisposable
{
    private readonly Lazy<RecordingBus> _ownBus = new(() => new());
    private readonly Lazy<ServiceProvider> _ownServices = new(() => new ServiceCollection().BuildServiceProvider());
    private readonly IServiceBus? _bus;
    private readonly IServiceProvider? _services;

    /// <summary>Makes a context.</summary>
    /// <param name="topic">The topic that is handled: <c>Weather.Fetch.Topic</c>.</param>
    /// <param name="kind">Whether the sender waits for an answer.</param>
    /// <param name="sender">The id of the sender's node.</param>
    /// <param name="headers">What travelled beside the body. Default: none.</param>
    /// <param name="remaining">
    /// What is left of the deadline. It does not run down, and the token does not follow it. Not negative. Default: 30 seconds.
    /// </param>
    /// <param name="services">The services of the message's scope. Default: a container without services.</param>
    /// <param name="bus">The bus of the node. Default: a <see cref="RecordingBus"/>.</param>
    /// <param name="group">The group of the handler. Default: <c>_default</c> for a request, none for a signal.</param>
    /// <param name="nodeId">The id of the handler's node.</param>
    /// <param name="caller">The identity of the caller. Default: none, as in memory and over Redis.</param>
    /// <param name="cancellationToken">What the handler sees as its token. Default: one that does not fire.</param>
    public TestHandlerContext(
        Topic topic,
        MessageKind kind = MessageKind.Request,
        string sender = "test-caller",
        Headers? headers = null,
        TimeSpan? remaining = null,
        IServiceProvider? services = null,
        IServiceBus? bus = null,
        string? group = null,
        string nodeId = "test-node",
        ClaimsPrincipal? caller = null,
        CancellationToken cancellationToken = default)
        : base(new()
        {
            Id = new(sender, 1),
            Kind = kind,
            Topic = topic,
            Headers = headers ?? Headers.Empty,
            ContentType = "",
            Caller = caller is null ? null : new GivenCaller(caller),
        })
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(remaining ?? TimeSpan.Zero, TimeSpan.Zero, nameof(remaining));
        (_services, _bus) = (services, bus);
        Group = group ?? (kind == MessageKind.Request ? HandlerDefinition.DefaultGroup : null);
        NodeId = nodeId;
        Remaining = remaining ?? TimeSpan.FromSeconds(30);
        CancellationToken = cancellationToken;
    }

    /// <inheritdoc/>
    public override string? Group { get; }

    /// <inheritdoc/>
    public override string NodeId { get; }

    /// <inheritdoc/>
    public override TimeSpan Remaining { get; }

    /// <inheritdoc/>
    public override CancellationToken CancellationToken { get; }

    /// <inheritdoc/>
    public override IServiceProvider Services => _services ?? _ownServices.Value;

    /// <inheritdoc/>
    public override IServiceBus Bus => _bus ?? _ownBus.Value;

    /// <summary>What the handler sent, when the context has a <see cref="RecordingBus"/>.</summary>
    /// <exception cref="InvalidOperationException">The context was given another bus.</exception>
    public SentMessages Sent => Bus is RecordingBus recording
        ? recording.Sent
        : throw new InvalidOperationException("This context was given a bus that does not record. Ask that bus, or give none.");

    /// <summary>
    /// Stops the bus that the context made because none was given. A context whose handler sends nothing has none, and need not be
    /// disposed.
    /// </summary>
    public async ValueTask DisposeAsync()
    {
        if (_ownBus.IsValueCreated)
        {
            await _ownBus.Value.DisposeAsync().ConfigureAwait(false);
        }

        if (_ownServices.IsValueCreated)
        {
            await _ownServices.Value.DisposeAsync().ConfigureAwait(false);
        }
    }

    private sealed class GivenCaller(ClaimsPrincipal principal) : IMessageCaller
    {
        public ClaimsPrincipal Principal => principal;

        public ValueTask<ReplyMessage?> RefuseAsync(Topic topic, IReadOnlyList<string> policies) => new((ReplyMessage?)null);
    }
}
