using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace ServiceMesh.Http;

/// <summary>
/// Adds the client of the mesh to an ordinary <see cref="HttpClient"/>. A request to <c>http://weather/path</c>, where <c>weather</c> is a
/// configured service, is balanced over the servers of the service, with timeouts, retries and circuit breakers. A request to any other
/// host, or with a port, goes to <see cref="DelegatingHandler.InnerHandler"/> unchanged. Thread-safe.
/// </summary>
/// <remarks>
/// <para>
/// Use this handler in programs without a service container. With one, use <c>services.AddHttpClient("weather").AddServiceMesh()</c>. The
/// handler owns its resources and must be disposed. Several HttpClients can share one:
/// <c>new HttpClient(handler, disposeHandler: false)</c>.
/// </para>
/// <para>
/// Failures are those of HttpClient: <see cref="HttpRequestException"/>, and for timeouts <see cref="TaskCanceledException"/> with a <see
/// cref="PhaseTimeoutException"/> as its inner exception. The answer of a server, even 500, is the response, unless a later attempt had no
/// answer.
/// </para>
/// </remarks>
/// <example>
/// <code source="samples/Snippets/HttpClients.cs" region="handler" />
/// </example>
public sealed class ServiceMeshHandler : DelegatingHandler
{
    private readonly ClientServices _services;
    private readonly bool _isOwner;

    /// <summary>Creates a handler with its own services.</summary>
    /// <param name="options">
    /// The services and how they are called; options of the node's own server are ignored. Do not change it afterwards.
    /// </param>
    /// <param name="loggers">The loggers. Default: no logs.</param>
    /// <param name="clock">The clock. Default: the system's.</param>
    /// <exception cref="InvalidOperationException">An option is not valid; the message names each key.</exception>
    public ServiceMeshHandler(HttpTransportOptions options, ILoggerFactory? loggers = null, TimeProvider? clock = null)
        : this(
            new ClientServices(
                options ?? throw new ArgumentNullException(nameof(options)), null, null,
                loggers ?? NullLoggerFactory.Instance, clock ?? TimeProvider.System),
            isOwner: true) =>
        InnerHandler = new SocketsHttpHandler();

    internal ServiceMeshHandler(ClientServices services, bool isOwner) => (_services, _isOwner) = (services, isOwner);

    /// <summary>Judgements and times of this client. Default: those of the services.</summary>
    public ServiceMeshClientOptions Client { get; init; } = new();

    /// <inheritdoc/>
    protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(request);
        return _services.Find(request.RequestUri) is { } service
            ? service.SendAsync(request, Client, cancellationToken)
            : base.SendAsync(request, cancellationToken);
    }

    /// <summary>
    /// The same as <see cref="SendAsync"/> on the thread of the caller, over HTTP/1.1. It needs no thread of the pool, unless the service
    /// has only HTTP/2 or the request is hedged.
    /// </summary>
    protected override HttpResponseMessage Send(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(request);
        return _services.Find(request.RequestUri) is { } service
            ? service.Send(request, Client, cancellationToken)
            : base.Send(request, cancellationToken);
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing && _isOwner)
        {
            _services.Dispose();
        }

        base.Dispose(disposing);
    }
}
