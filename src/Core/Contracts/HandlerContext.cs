using System.Security.Claims;

namespace ServiceMesh;

/// <summary>
/// What a handler knows about the message it handles, and what it may say beside its answer. One for each message;
/// setters are for the handler's own flow and not thread-safe, everything else is.
/// </summary>
public abstract class HandlerContext
{
    private protected HandlerContext(Message message) => Message = message;

    /// <summary>The message as it arrived, before decoding.</summary>
    public Message Message { get; }

    /// <summary>The topic that was called; for a subscription by pattern the one that matched.</summary>
    public Topic Topic => Message.Topic;

    /// <summary>The group in which this handler took the message; null for a signal subscriber of its own.</summary>
    public abstract string? Group { get; }

    /// <summary>The id of the node that sent it.</summary>
    public string Sender => Message.Sender;

    /// <summary>
    /// The authenticated identity of the caller. Over HTTP it is the user of ASP.NET Core, or an identity of the authentication type
    /// <c>ServiceMesh</c> for a node that sent the shared token; an anonymous caller has a principal without an authenticated identity.
    /// Null for a message of this process, unless its handler demands a policy, and over transports that do not authenticate callers
    /// (Redis, in memory). <see cref="Sender"/> is only what the caller says of itself.
    /// </summary>
    public ClaimsPrincipal? Caller => Message.Caller?.Principal;

    /// <summary>What travelled beside the body.</summary>
    public Headers Headers => Message.Headers;

    /// <summary>The id of the node that handles it.</summary>
    public abstract string NodeId { get; }

    /// <summary>
    /// What is left of the caller's deadline or of the handler's own timeout, whichever ends first; never negative. Use it as
    /// the timeout of what the handler calls in turn.
    /// </summary>
    public abstract TimeSpan Remaining { get; }

    /// <summary>
    /// Fires when the caller gave up, the deadline passed, the handler's timeout passed, or the node has waited long
    /// enough for the handler while shutting down. Pass it on. Read after the handler has ended, it has fired.
    /// </summary>
    public abstract CancellationToken CancellationToken { get; }

    /// <summary>
    /// The status of the answer. 100 to 999. Default: <see cref="StatusCode.Ok"/>. With 300 or more the value still travels, and the
    /// caller sees a failure.
    /// </summary>
    /// <exception cref="ArgumentOutOfRangeException">The status is outside 100 to 999.</exception>
    public StatusCode Status
    {
        get;
        set => field = StatusRange.Checked(value, nameof(Status));
    } = StatusCode.Ok;

    /// <summary>Texts that travel back beside the answer. Default: none.</summary>
    public Headers ReplyHeaders { get; set; } = Headers.Empty;

    /// <summary>
    /// The services of this message's scope; disposed when the handler ends. A handler class has its scope before it starts; for a
    /// delegate the scope is made when it first reads this property.
    /// </summary>
    /// <exception cref="ObjectDisposedException">The handler has ended.</exception>
    /// <exception cref="OperationCanceledException">
    /// The application's container has been disposed while the handler ran; so does each look-up of a service then.
    /// </exception>
    public abstract IServiceProvider Services { get; }

    /// <summary>The bus of this node, for what the handler asks or tells in turn. See <see cref="RequestOptions.Within"/>.</summary>
    public abstract IServiceBus Bus { get; }
}
