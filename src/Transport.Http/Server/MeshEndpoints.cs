using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Http.Metadata;
using Microsoft.AspNetCore.Routing;
using Microsoft.AspNetCore.Routing.Patterns;
using Microsoft.Extensions.Logging;

namespace ServiceMesh.Http;

/// <summary>
/// The HTTP endpoints of a node: requests, signals, the node document, and health. They are the same in the application's server
/// (<c>MapServiceMesh</c>) and in the server of the transport. One object for each bus; it answers 503 until the transport has started.
/// </summary>
internal sealed class MeshEndpoints
{
    /// <summary>The path of the node document.</summary>
    public const string NodePath = "/mesh/v1/node";

    private const string Json = "application/json";

    private const string TraceParent = "traceparent";

    // ServiceMesh:Errors:MaxDataBytes bounds error reports; a small limit for bodies must not prevent them.
    private const int MaxReportBytes = 8 * 1024 * 1024;

    private const string Prefix = "/mesh/v1/";

    private static readonly string[] s_getOrHead = ["GET", "HEAD"];

    // A cache between two nodes would answer for a node that has changed, or is gone.
    private const string NotStored = "no-store";

    private static readonly TimeSpan s_maxPoll = TimeSpan.FromMinutes(1);

    // What the routing of ASP.NET Core would have chosen: the route stands in spans and metrics of the server.
    private static readonly RouteEndpoint s_requestRoute = RouteOf("request/{**topic}");
    private static readonly RouteEndpoint s_signalRoute = RouteOf("signal/{**topic}");
    private static readonly RouteEndpoint s_sessionRoute = RouteOf("session");
    private static readonly RouteEndpoint s_nodeRoute = RouteOf("node");
    private static readonly RouteEndpoint s_healthRoute = RouteOf("health");

    private static readonly Func<HttpContext, HttpNode, string, Task> s_request = RequestAsync;
    private static readonly Func<HttpContext, HttpNode, string, Task> s_signal = SignalAsync;
    private static readonly Func<HttpContext, HttpNode, string, Task> s_session = SessionAsync;
    private static readonly Func<HttpContext, HttpNode, string, Task> s_describe = DescribeAsync;

    private volatile HttpNode? _node;

    /// <summary>Whether the application serves these endpoints itself.</summary>
    public bool IsMapped { get; private set; }

    /// <summary>The node that answers; null before the start and after the end.</summary>
    public HttpNode? Node => _node;

    public void Open(HttpNode node) => _node = node;

    public void Close() => _node = null;

    /// <summary>
    /// Called when the node has drained. Waits for a bounded time until the other nodes have no requests in flight to this node, then
    /// answers their polls. Further calls do no harm.
    /// </summary>
    public async Task ReleaseWatchersAsync(ILogger? logger, CancellationToken cancellationToken)
    {
        if (_node is not { IsDraining: true } node)
        {
            return;
        }

        var busy = await node.Watchers.UntilIdleAsync(cancellationToken).ConfigureAwait(false);
        if (busy.Count > 0 && logger is not null)
        {
            ServerLog.NotConfirmed(logger, "their last requests were answered", string.Join(", ", busy));
        }

        if (node.Sessions is { } sessions)
        {
            await sessions.EndAsync(cancellationToken).ConfigureAwait(false);
        }

        node.Watchers.Close();
    }

    /// <summary>Maps the endpoints in the application's server.</summary>
    public IEndpointConventionBuilder MapIn(IEndpointRouteBuilder application)
    {
        IsMapped = true;
        return Map(application);
    }

    public IEndpointConventionBuilder Map(IEndpointRouteBuilder routes)
    {
        var mesh = routes.MapGroup("/mesh/v1");
        mesh.MapPost("/request/{**topic}", http => GuardedAsync(http, TopicOf(http), s_request));
        mesh.MapPost("/signal/{**topic}", http => GuardedAsync(http, TopicOf(http), s_signal));
        mesh.MapPost("/session", http => GuardedAsync(http, "", s_session));
        mesh.MapGet("/node", http => GuardedAsync(http, "", s_describe));
        mesh.MapMethods("/health", s_getOrHead, HealthAsync);
        return mesh;
    }

    /// <summary>
    /// Serves the endpoints as the only ones of a server: the same as <see cref="Map"/>, without the routing of ASP.NET Core, which costs
    /// more than all else here.
    /// </summary>
    public Task ServeAsync(HttpContext http)
    {
        var path = http.Request.Path.Value ?? "";
        var rest = path.StartsWith(Prefix, StringComparison.OrdinalIgnoreCase) ? path.AsSpan(Prefix.Length) : default;
        var end = rest.IndexOf('/');
        var name = end < 0 ? rest : rest[..end];
        var below = end < 0 ? default : rest[(end + 1)..];
        return name switch
        {
            _ when name.Equals("request", StringComparison.OrdinalIgnoreCase) =>
                Allows(http, s_requestRoute, HttpMethods.Post) ? GuardedAsync(http, below.ToString(), s_request) : Task.CompletedTask,
            _ when name.Equals("signal", StringComparison.OrdinalIgnoreCase) =>
                Allows(http, s_signalRoute, HttpMethods.Post) ? GuardedAsync(http, below.ToString(), s_signal) : Task.CompletedTask,
            _ when name.Equals("session", StringComparison.OrdinalIgnoreCase) && below.IsEmpty =>
                Allows(http, s_sessionRoute, HttpMethods.Post) ? GuardedAsync(http, "", s_session) : Task.CompletedTask,
            _ when name.Equals("node", StringComparison.OrdinalIgnoreCase) && below.IsEmpty =>
                Allows(http, s_nodeRoute, HttpMethods.Get) ? GuardedAsync(http, "", s_describe) : Task.CompletedTask,
            _ when name.Equals("health", StringComparison.OrdinalIgnoreCase) && below.IsEmpty =>
                Allows(http, s_healthRoute, HttpMethods.Get, HttpMethods.Head) ? HealthAsync(http) : Task.CompletedTask,
            _ => NotFound(http),
        };
    }

    // A request of another method is answered with 405 here.
    private static bool Allows(HttpContext http, RouteEndpoint route, params ReadOnlySpan<string> methods)
    {
        foreach (var method in methods)
        {
            if (HttpMethods.Equals(method, http.Request.Method))
            {
                http.SetEndpoint(route);
                return true;
            }
        }

        http.Response.StatusCode = StatusCodes.Status405MethodNotAllowed;
        http.Response.Headers.Allow = string.Join(", ", methods);
        return false;
    }

    private static RouteEndpoint RouteOf(string below)
    {
        var pattern = RoutePatternFactory.Parse(Prefix + below);
        return new(static _ => Task.CompletedTask, pattern, order: 0, new(new RouteText(pattern.RawText!)), pattern.RawText);
    }

    private static Task NotFound(HttpContext http)
    {
        http.Response.StatusCode = StatusCodes.Status404NotFound;
        return Task.CompletedTask;
    }

    private async Task GuardedAsync(HttpContext http, string topic, Func<HttpContext, HttpNode, string, Task> handle)
    {
        try
        {
            if (_node is not { } node)
            {
                await AnswerAsync(http, NotRunning(), "").ConfigureAwait(false);
            }
            else if (node.Protection.Refuse(http) is { } refusal)
            {
                await AnswerAsync(http, refusal, "").ConfigureAwait(false);
            }
            else
            {
                await handle(http, node, topic).ConfigureAwait(false);
            }
        }
        catch (BadHttpRequestException malformed) when (!http.Response.HasStarted)
        {
            // Too slow, cut off, or not HTTP: the status from Kestrel says which.
            await AnswerAsync(http, Refuse((StatusCode)malformed.StatusCode, malformed.Message), "").ConfigureAwait(false);
        }
        catch (Exception failure) when (
            failure is ConnectionResetException or ConnectionAbortedException
            || (http.RequestAborted.IsCancellationRequested && failure is OperationCanceledException or IOException))
        {
            // The caller has closed the connection and reads no answer.
        }
    }

    private static async Task RequestAsync(HttpContext http, HttpNode node, string topic)
    {
        var caller = node.CallerOf(http);
        using var exchange = node.Bytes.Begin(http);
        try
        {
            var (message, refusal, _) = await ReadAsync(
                http, node, MessageKind.Request, topic, node.CallerOfMessage(caller), exchange).ConfigureAwait(false);
            var reply = refusal ?? await node.AnswerAsync(WithInstant(message!, http, node), http.RequestAborted).ConfigureAwait(false);
            if (message is not null)
            {
                http.Response.Headers[MeshHeader.Load] = LoadText.Of(node.Local.LoadOf(message.Topic));
            }

            exchange.Take(reply.Body.Length);
            await AnswerAsync(http, reply, topic, node).ConfigureAwait(false);
        }
        finally
        {
            await caller.CloseAsync().ConfigureAwait(false); // a handler may run on, but the context of the request is used again
        }
    }

    // A deadline on the clock of this node does not begin anew with the arrival.
    private static Message WithInstant(Message request, HttpContext http, HttpNode node) =>
        http.Request.Headers.TryGetValue(MeshHeader.Deadline, out var said)
        && request.Deadline.RemainingMilliseconds is { } left
        && InstantText.Read(said.ToString(), left) is { } deadline
            ? request with { Deadline = node.Clock.Judge(deadline) }
            : request;

    private static async Task SignalAsync(HttpContext http, HttpNode node, string topic)
    {
        var caller = node.CallerOf(http);
        using var exchange = node.Bytes.Begin(http);
        try
        {
            var (message, refusal, access) = await ReadAsync(
                http, node, MessageKind.Signal, topic, node.CallerOfMessage(caller), exchange).ConfigureAwait(false);
            if (refusal is not null)
            {
                await AnswerAsync(http, refusal, topic).ConfigureAwait(false);
                return;
            }

            var groups = http.Request.Headers.TryGetValue(MeshHeader.Groups, out var named)
                ? named.ToString().Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)
                : null;
            var receipt = node.Local.Deliver(message!, groups, http.Request.Headers[MeshHeader.Individuals] != "no", access.Denied);
            http.Response.Headers[MeshHeader.Status] = "200";
            var body = JsonSerializer.SerializeToUtf8Bytes(receipt, HttpJsonContext.Default.SignalReceipt);
            await WriteAsync(http, 200, Json, body).ConfigureAwait(false);
        }
        finally
        {
            await caller.CloseAsync().ConfigureAwait(false);
        }
    }

    private static async Task SessionAsync(HttpContext http, HttpNode node, string topic)
    {
        BeQuiet(http);
        var caller = node.CallerOf(http);
        try
        {
            var refusal = node.Sessions is { } sessions
                ? await sessions.AcceptAsync(http, caller).ConfigureAwait(false)
                : NotRunning();
            if (refusal is not null)
            {
                await AnswerAsync(http, refusal, "").ConfigureAwait(false);
            }
        }
        finally
        {
            await caller.CloseAsync().ConfigureAwait(false);
        }
    }

    private static async Task DescribeAsync(HttpContext http, HttpNode node, string topic)
    {
        BeQuiet(http);
        http.Response.Headers.CacheControl = NotStored;
        var query = http.Request.Query;
        if (query["left"] == "1")
        {
            node.Watchers.Remove(http.Request.Headers[MeshHeader.Watcher].ToString());
            http.Response.Headers[MeshHeader.Status] = "200";
            await WriteAsync(http, 200, Json, "{}"u8.ToArray()).ConfigureAwait(false);
            return;
        }

        var hasVersion = long.TryParse(query["version"], NumberStyles.None, CultureInfo.InvariantCulture, out var version);
        var known = hasVersion && query["of"] == node.Context.NodeId ? version : (long?)null;
        var hasWait = double.TryParse(query["wait"], NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var seconds);
        var wait = hasWait && seconds >= 0 && seconds < s_maxPoll.TotalSeconds ? TimeSpan.FromSeconds(seconds)
            : known is null ? TimeSpan.Zero
            : s_maxPoll;
        var watcher = node.SeePeer(http.Request.Headers[MeshHeader.Watcher].ToString());
        await node.Watchers.PollAsync(watcher, known, query["idle"] == "1", wait, http.RequestAborted).ConfigureAwait(false);
        http.Response.Headers[MeshHeader.Status] = "200";
        var isOfNode = http.Request.Headers.ContainsKey(MeshHeader.Watcher);
        var document = JsonSerializer.SerializeToUtf8Bytes(node.Describe(!isOfNode), HttpJsonContext.Default.NodeDocument);
        await WriteAsync(http, 200, Json, document).ConfigureAwait(false);
    }

    // A long poll and a session last long by design: their time would drown that of the requests, and a span would be one of every poll.
    private static void BeQuiet(HttpContext http)
    {
        if (http.Features.Get<IHttpMetricsTagsFeature>() is { } metrics)
        {
            metrics.MetricsDisabled = true;
        }

        if (http.Features.Get<IHttpActivityFeature>()?.Activity is { } span)
        {
            span.ActivityTraceFlags &= ~ActivityTraceFlags.Recorded;
            span.IsAllDataRequested = false;
        }
    }

    // Open to every caller, unless the application requires authorization for all endpoints: load balancers ask it, and the answer only
    // says whether to send requests here.
    private Task HealthAsync(HttpContext http)
    {
        http.Response.Headers.CacheControl = NotStored;
        return _node switch
        {
            null => WriteAsync(http, 503, Json, """{"status":"Stopped"}"""u8.ToArray()),
            { IsDraining: true } => WriteAsync(http, 503, Json, """{"status":"Draining"}"""u8.ToArray()),
            _ => WriteAsync(http, 200, Json, """{"status":"Healthy"}"""u8.ToArray()),
        };
    }

    private static async ValueTask<Arrival> ReadAsync(
        HttpContext http, HttpNode node, MessageKind kind, string name, IMessageCaller caller, BytesInFlight.Exchange exchange)
    {
        if (!Topic.TryParse(name, out var topic))
        {
            return new(Refuse(
                StatusCode.BadRequest,
                $"'{name}' is not a topic. A topic has one or more segments, separated by '.'; a segment has letters, digits, " +
                $"'-' and '_' (ASCII). A topic has at most {Topic.MaxLength} characters."));
        }

        var access = await node.AccessOfAsync(kind, topic, caller).ConfigureAwait(false);
        if (access.Refusal is { } notAllowed)
        {
            if (notAllowed.Status == StatusCode.Unauthorized)
            {
                http.Response.Headers.WWWAuthenticate = "Bearer"; // RFC 9110 demands it
            }

            return new(notAllowed);
        }

        var headers = new MessageHeaders(kind, node.Context.Clock);
        foreach (var (header, values) in http.Request.Headers)
        {
            // The other headers are between HTTP clients, proxies and servers.
            if (MessageWire.Reads(header))
            {
                foreach (var value in values)
                {
                    headers.Read(header, value ?? "");
                }
            }
        }

        // The span of the web server is the parent of the handler's, when something collects it. It is a child of the caller's span.
        if (Activity.Current is { IdFormat: ActivityIdFormat.W3C, Id: { } server } current
            && current.Source.HasListeners() && (current.Recorded || !http.Request.Headers.ContainsKey(TraceParent)))
        {
            headers.Read(TraceParent, server);
        }

        if (!headers.TryComplete())
        {
            return new(Refuse(StatusCode.BadRequest, headers.Error!));
        }

        if (UnsupportedBody.ReasonOf(http.Request) is { } unsupported)
        {
            return new(Refuse((StatusCode)StatusCodes.Status415UnsupportedMediaType, unsupported));
        }

        var isLarge = kind == MessageKind.Request && ArrivingBody.IsLarge(http.Request.ContentLength);
        if (isLarge && WhyNotRead(node, headers.ToMessage(topic, http.Request.ContentType, default, caller)) is { } notRead)
        {
            return new(notRead);
        }

        try
        {
            var (body, reason) = await ReadBodyAsync(http, node, topic, exchange).ConfigureAwait(false);
            return body is null
                ? new(reason!)
                : new(
                    headers.ToMessage(topic, http.Request.ContentType, WithoutMark(body, http.Request.ContentType), caller), null, access);
        }
        finally
        {
            if (isLarge)
            {
                node.Local.EndReading(topic);
            }
        }
    }

    // A body that takes long to arrive is read only if its handler has a place, and at most as many as there are places. Null if it may be
    // read; then the reading must be ended.
    private static ReplyMessage? WhyNotRead(HttpNode node, Message message) =>
        node.Local.WhyNot(message) ?? (node.Local.TryBeginReading(message.Topic)
            ? null
            : Refuse(
                StatusCode.Overloaded,
                $"Node '{node.Context.NodeId}' reads as many bodies for '{message.Topic}' as its handlers have places (MaxConcurrency, " +
                "MaxQueued). Try again later."));

    private static async ValueTask<(byte[]? Body, ReplyMessage? Refusal)> ReadBodyAsync(
        HttpContext http, HttpNode node, Topic topic, BytesInFlight.Exchange exchange)
    {
        var limit = node.Context.MaxBodyBytes;
        limit = topic == MeshTopics.Errors.Topic ? Math.Max(MaxReportBytes, limit) : limit;
        if (http.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } size)
        {
            size.MaxRequestBodySize = null; // the limit of the bus applies instead
        }

        // RFC 9112, 6.3: a request without a length and without chunks has no body. Other versions say so by a flag of the server.
        var hasBody = http.Features.Get<IHttpRequestBodyDetectionFeature>()?.CanHaveBody ?? true;
        var announced = hasBody ? http.Request.ContentLength : 0;
        try
        {
            var (body, fault) = await ArrivingBody.ReadAsync(
                http.Request.Body, announced, limit, exchange, node.Limits.MinBytesPerSecond, node.Context.Clock,
                announced > 0 ? http.Request.BodyReader : null, http.RequestAborted).ConfigureAwait(false);
            return fault == BodyFault.None ? (body, null) : (null, NotRead(http, node, fault, announced, limit));
        }
        catch (IOException malformed) when (malformed is not BadHttpRequestException && malformed.InnerException is OverflowException)
        {
            // The size of a chunk is beyond all numbers, which Kestrel reports as a failure to read.
            return (null, Refuse(StatusCode.BadRequest, "The size of a chunk of the body cannot be read. Send smaller chunks."));
        }
#pragma warning disable CA1031 // A middleware of the application may wrap the body and throw anything; memory may be short.
        catch (Exception failure) when (!IsOfConnection(failure, http))
#pragma warning restore CA1031
        {
            ServerLog.NotRead(node.Logger, topic.ToString(), failure);
            return (null, Refuse(StatusCode.Unavailable, $"Node '{node.Context.NodeId}' could not read the body. Its log has the reason."));
        }
    }

    private static bool IsOfConnection(Exception failure, HttpContext http) =>
        http.RequestAborted.IsCancellationRequested
        || failure is BadHttpRequestException or ConnectionResetException or ConnectionAbortedException;

    private static ReplyMessage NotRead(HttpContext http, HttpNode node, BodyFault fault, long? announced, int limit)
    {
        if (HttpProtocol.IsHttp11(http.Request.Protocol))
        {
            http.Response.Headers.Connection = "close"; // rather than read the rest
        }

        return fault switch
        {
            BodyFault.TooSlow => Refuse(
                StatusCode.DeadlinePassed,
                $"The body arrived more slowly than {node.Limits.MinBytesPerSecond} bytes a second " +
                $"({node.Context.KeyOf("Http:Server:MinBytesPerSecond")} of node '{node.Context.NodeId}')."),
            BodyFault.NoRoom => Refuse(
                StatusCode.Overloaded,
                $"Node '{node.Context.NodeId}' holds as many bytes of bodies and answers as it may, in all or for this connection " +
                $"({node.Context.KeyOf("Http:Server:MaxBytesInFlight")}, {node.Context.KeyOf("Http:Server:MaxBytesPerConnection")}). " +
                "Try again later."),
            _ => Refuse(
                StatusCode.BodyTooLarge,
                $"The body has {announced?.ToString(CultureInfo.InvariantCulture) ?? $"more than {limit}"} bytes; " +
                $"node '{node.Context.NodeId}' accepts {limit}. " +
                $"Send less, or raise its {node.Context.KeyOf("Request:MaxBodyBytes")}."),
        };
    }

    // Without a type, and with the type that curl -d sends, the body is what the configured serializer reads.
    private static ReadOnlyMemory<byte> WithoutMark(byte[] body, string? contentType) =>
        body.AsSpan().StartsWith(Utf8.ByteOrderMark)
        && (contentType is null or "" or MessageHeaders.TypeOfCurl || contentType.Contains("json", StringComparison.OrdinalIgnoreCase))
            ? body.AsMemory(Utf8.ByteOrderMark.Length)
            : body;

    private static string TopicOf(HttpContext http) => http.Request.RouteValues["topic"] as string ?? "";

    private static ReplyMessage Refuse(StatusCode status, string error) => ReplyMessage.Failure(status, error, notProcessed: true);

    private static ReplyMessage NotRunning() => Refuse(StatusCode.Unavailable, "The bus of this node has not started yet, or has stopped.");

    private static Task AnswerAsync(HttpContext http, ReplyMessage reply, string topic, HttpNode? node = null)
    {
        var (status, contentType, body) = ReplyWire.Write(
            reply, topic, http.Response.Headers, static (headers, name, value) => headers[name] = value);
        return WriteAsync(http, status, contentType, body, node);
    }

    private static Task WriteAsync(HttpContext http, int status, string contentType, ReadOnlyMemory<byte> body, HttpNode? node = null)
    {
        http.Response.StatusCode = status;
        http.Response.ContentType = contentType.Length == 0 ? null : contentType;
        http.Response.ContentLength = body.Length;
        return AnswerBody.WriteAsync(http, body, node?.Limits.MinBytesPerSecond, node?.Context.Clock);
    }

    /// <summary>What arrived: a message with what its caller may reach, or the reason for which it is refused.</summary>
    private readonly record struct Arrival(Message? Message, ReplyMessage? Refusal, Access Access)
    {
        public Arrival(ReplyMessage refusal)
            : this(null, refusal, default)
        {
        }
    }

    private sealed record RouteText(string Route) : IRouteDiagnosticsMetadata;
}
