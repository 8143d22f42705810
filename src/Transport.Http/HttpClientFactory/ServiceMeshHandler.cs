using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace ServiceMesh.Http;

/// <summary>
/// Gives an ordinary <see cref="HttpClient"/> the mesh's client: a request to <c>http://weather/path</c>, where
/// <c>weather</c> is a configured service, is balanced over its servers, timed, retried and broken. A request to any other
/// host, or with a port, goes to <see cref="DelegatingHandler.InnerHandler"/> as it is. Thread-safe.
/// </summary>
/// <remarks>
/// <para>
/// This is for programs without a container; with one, use <c>services.AddHttpClient("weather").AddServiceMesh()</c>. The
/// handler owns what it makes and is to be disposed; several HttpClients can share one:
/// <c>new HttpClient(handler, disposeHandler: false)</c>.
/// </para>
/// <para>
/// Failures are those of HttpClient: <see cref="HttpRequestException"/>, and <see cref="TaskCanceledException"/> with a
/// <see cref="PhaseTimeoutException"/> inside for timeouts. What a server answered, be it 500, is the response, unless a further attempt had no answer.
/// </para>
/// </remarks>
/// <example>
/// <code source="samples/Snippets/HttpClients.cs" region="handler" />
/// </example>
public sealed class ServiceMeshHandler : DelegatingHandler
{
    private readonly ClientServices _services;
    private readonly bool _isOwner;

    /// <summary>Makes a handler with services of its own.</summary>
    /// <param name="options">The services and how they are called; what concerns the node's own server is not used. It must not change afterwards.</param>
    /// <param name="loggers">Where it logs. Default: nowhere.</param>
    /// <param name="clock">The clock. Default: the system's.</param>
    /// <exception cref="InvalidOperationException">The options cannot work; the message names each offending key.</exception>
    public ServiceMeshHandler(HttpTransportOptions options, ILoggerFactory? loggers = null, TimeProvider? clock = null)
        : this(
            new ClientServices(
                options ?? throw new ArgumentNullException(nameof(options)), null, null, loggers ?? NullLoggerFactory.Instance, clock ?? TimeProvider.System),
            isOwner: true) =>
        InnerHandler = new SocketsHttpHandler();

    internal ServiceMeshHandler(ClientServices services, bool isOwner) => (_services, _isOwner) = (services, isOwner);

    /// <inheritdoc/>
    protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(request);
        return _services.Find(request.RequestUri) is { } service ? service.SendAsync(request, cancellationToken) : base.SendAsync(request, cancellationToken);
    }

    /// <summary>The same, blocking the thread: the layers are asynchronous.</summary>
    protected override HttpResponseMessage Send(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(request);
        return _services.Find(request.RequestUri) is { } service
            ? Task.Run(() => service.SendAsync(request, cancellationToken), CancellationToken.None).GetAwaiter().GetResult()
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
