using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.Logging;

namespace ServiceMesh.Http;

/// <summary>
/// The HTTP endpoints of a node: requests, signals, the node document, and health. They are the same in the application's server
/// (<c>MapServiceMesh</c>) and in the server of the transport. One object for each bus; it answers 503 until the transport has started.
/// </summary>
internal sealed class MeshEndpoints
{
    private const string Json = "application/json";

    // ServiceMesh:Errors:MaxDataBytes bounds error reports; a small limit for bodies must not prevent them.
    private const int MaxReportBytes = 8 * 1024 * 1024;

    private static readonly string[] s_getOrHead = ["GET", "HEAD"];

    private static readonly TimeSpan s_maxPoll = TimeSpan.FromMinutes(1);

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
        mesh.MapPost("/request/{**topic}", Guarded(RequestAsync));
        mesh.MapPost("/signal/{**topic}", Guarded(SignalAsync));
        mesh.MapPost("/session", Guarded(SessionAsync));
        mesh.MapGet("/node", Guarded(DescribeAsync));
        mesh.MapMethods("/health", s_getOrHead, HealthAsync);
        return mesh;
    }

    private RequestDelegate Guarded(Func<HttpContext, HttpNode, Task> handle) => async http =>
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
                await handle(http, node).ConfigureAwait(false);
            }
        }
        catch (BadHttpRequestException malformed) when (!http.Response.HasStarted)
        {
            // Too slow, cut off, or not HTTP: the status from Kestrel says which.
            await AnswerAsync(http, Refuse((StatusCode)malformed.StatusCode, malformed.Message), "").ConfigureAwait(false);
        }
        catch (Exception failure) when (http.RequestAborted.IsCancellationRequested && failure is OperationCanceledException or IOException)
        {
            // The caller has closed the connection and reads no answer.
        }
    };

    private static async Task RequestAsync(HttpContext http, HttpNode node)
    {
        var (message, refusal) = await ReadAsync(http, node, MessageKind.Request).ConfigureAwait(false);
        var reply = refusal ?? await node.AnswerAsync(WithInstant(message!, http, node), http.RequestAborted).ConfigureAwait(false);
        if (message is not null)
        {
            var load = node.Local.LoadOf(message.Topic);
            http.Response.Headers[MeshHeader.Load] = load == 0 ? "0" : load.ToString("0.###", CultureInfo.InvariantCulture);
        }

        await AnswerAsync(http, reply, TopicOf(http)).ConfigureAwait(false);
    }

    // A deadline on the clock of this node does not begin anew with the arrival.
    private static Message WithInstant(Message request, HttpContext http, HttpNode node) =>
        http.Request.Headers.TryGetValue(MeshHeader.Deadline, out var said)
        && request.Deadline.RemainingMilliseconds is { } left
        && InstantText.Read(said.ToString(), left) is { } deadline
            ? request with { Deadline = node.Clock.Judge(deadline) }
            : request;

    private static async Task SignalAsync(HttpContext http, HttpNode node)
    {
        var (message, refusal) = await ReadAsync(http, node, MessageKind.Signal).ConfigureAwait(false);
        if (refusal is not null)
        {
            await AnswerAsync(http, refusal, TopicOf(http)).ConfigureAwait(false);
            return;
        }

        var groups = http.Request.Headers.TryGetValue(MeshHeader.Groups, out var named)
            ? named.ToString().Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)
            : null;
        var receipt = node.Local.Deliver(message!, groups, http.Request.Headers[MeshHeader.Individuals] != "no");
        http.Response.Headers[MeshHeader.Status] = "200";
        var body = JsonSerializer.SerializeToUtf8Bytes(receipt, HttpJsonContext.Default.SignalReceipt);
        await WriteAsync(http, 200, Json, body).ConfigureAwait(false);
    }

    private static async Task SessionAsync(HttpContext http, HttpNode node)
    {
        if ((node.Sessions is { } sessions ? await sessions.AcceptAsync(http).ConfigureAwait(false) : NotRunning()) is { } refusal)
        {
            await AnswerAsync(http, refusal, "").ConfigureAwait(false);
        }
    }

    private static async Task DescribeAsync(HttpContext http, HttpNode node)
    {
        var query = http.Request.Query;
        var hasVersion = long.TryParse(query["version"], NumberStyles.None, CultureInfo.InvariantCulture, out var version);
        var known = hasVersion && query["of"] == node.Context.NodeId ? version : (long?)null;
        var hasWait = double.TryParse(query["wait"], NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var seconds);
        var wait = hasWait && seconds >= 0 && seconds < s_maxPoll.TotalSeconds ? TimeSpan.FromSeconds(seconds)
            : known is null ? TimeSpan.Zero
            : s_maxPoll;
        var name = http.Request.Headers[MeshHeader.Watcher].ToString();
        var watcher = node.SeePeer(name);
        await node.Watchers.PollAsync(watcher, known, query["idle"] == "1", wait, http.RequestAborted).ConfigureAwait(false);
        http.Response.Headers[MeshHeader.Status] = "200";
        var document = JsonSerializer.SerializeToUtf8Bytes(node.Describe(withConnections: name.Length == 0), HttpJsonContext.Default.NodeDocument);
        await WriteAsync(http, 200, Json, document).ConfigureAwait(false);
    }

    // Open to every caller, unless the application requires authorization for all endpoints: load balancers ask it, and the answer only
    // says whether to send requests here.
    private Task HealthAsync(HttpContext http) => _node switch
    {
        null => WriteAsync(http, 503, Json, """{"status":"Stopped"}"""u8.ToArray()),
        { IsDraining: true } => WriteAsync(http, 503, Json, """{"status":"Draining"}"""u8.ToArray()),
        _ => WriteAsync(http, 200, Json, """{"status":"Healthy"}"""u8.ToArray()),
    };

    private static async Task<(Message? Message, ReplyMessage? Refusal)> ReadAsync(HttpContext http, HttpNode node, MessageKind kind)
    {
        if (!Topic.TryParse(TopicOf(http), out var topic))
        {
            return (null, Refuse(
                StatusCode.BadRequest,
                $"'{TopicOf(http)}' is not a topic. A topic has one or more segments, separated by '.'; a segment has letters, digits, " +
                $"'-' and '_' (ASCII). A topic has at most {Topic.MaxLength} characters."));
        }

        var headers = new List<(string, string)>();
        foreach (var (name, values) in http.Request.Headers)
        {
            // The other headers are between HTTP clients, proxies and servers.
            if (MessageWire.Reads(name))
            {
                foreach (var value in values)
                {
                    headers.Add((name, value ?? ""));
                }
            }
        }

        // A caller without a trace of its own: the handler's span belongs below the span of the web server, when something collects that.
        if (!http.Request.Headers.ContainsKey("traceparent")
            && Activity.Current is { IdFormat: ActivityIdFormat.W3C, Id: { } server } current
            && (current.Recorded || current.Source.HasListeners()))
        {
            headers.Add(("traceparent", server));
        }

        if (!MessageWire.TryRead(kind, topic, http.Request.ContentType, headers, node.Context.Clock, out var message, out var error))
        {
            return (null, Refuse(StatusCode.BadRequest, error));
        }

        if (UnsupportedBody.ReasonOf(http.Request) is { } unsupported)
        {
            return (null, Refuse((StatusCode)StatusCodes.Status415UnsupportedMediaType, unsupported));
        }

        var limit = node.Context.MaxBodyBytes;
        limit = topic == MeshTopics.Errors.Topic ? Math.Max(MaxReportBytes, limit) : limit;
        if (http.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } size)
        {
            size.MaxRequestBodySize = null; // the limit of the bus applies instead
        }

        var announced = http.Request.ContentLength;
        byte[]? body;
        try
        {
            body = await BoundedBody.ReadAsync(http.Request.Body, announced, limit, http.RequestAborted).ConfigureAwait(false);
        }
#pragma warning disable CA1031 // A middleware of the application may wrap the body and throw anything; memory may be short.
        catch (Exception failure) when (failure is not (BadHttpRequestException or IOException or OperationCanceledException))
#pragma warning restore CA1031
        {
            ServerLog.NotRead(node.Logger, topic.ToString(), failure);
            return (null, Refuse(StatusCode.Unavailable, $"Node '{node.Context.NodeId}' could not read the body. Its log has the reason."));
        }

        return body is null
            ? (null, Refuse(
                StatusCode.BodyTooLarge,
                $"The body has {announced?.ToString(CultureInfo.InvariantCulture) ?? $"more than {limit}"} bytes; " +
                $"node '{node.Context.NodeId}' accepts {limit}. " +
                $"Send less, or raise its {node.Context.KeyOf("Request:MaxBodyBytes")}."))
            : (message with { Body = WithoutMark(body, message.ContentType) }, null);
    }

    private static ReadOnlyMemory<byte> WithoutMark(byte[] body, string contentType) =>
        body.AsSpan().StartsWith(Utf8.ByteOrderMark)
        && (contentType.Length == 0 || contentType.Contains("json", StringComparison.OrdinalIgnoreCase))
            ? body.AsMemory(Utf8.ByteOrderMark.Length)
            : body;

    private static string TopicOf(HttpContext http) => http.Request.RouteValues["topic"] as string ?? "";

    private static ReplyMessage Refuse(StatusCode status, string error) => ReplyMessage.Failure(status, error, notProcessed: true);

    private static ReplyMessage NotRunning() => Refuse(StatusCode.Unavailable, "The bus of this node has not started yet, or has stopped.");

    private static Task AnswerAsync(HttpContext http, ReplyMessage reply, string topic)
    {
        var (status, contentType, headers, body) = ReplyWire.Write(reply, topic);
        foreach (var (name, value) in headers)
        {
            http.Response.Headers[name] = value;
        }

        return WriteAsync(http, status, contentType, body);
    }

    private static async Task WriteAsync(HttpContext http, int status, string contentType, ReadOnlyMemory<byte> body)
    {
        http.Response.StatusCode = status;
        http.Response.ContentType = contentType.Length == 0 ? null : contentType;
        http.Response.ContentLength = body.Length;
        await http.Response.Body.WriteAsync(body, http.RequestAborted).ConfigureAwait(false);
    }
}
