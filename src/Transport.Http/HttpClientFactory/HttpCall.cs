using System.Collections.Immutable;
using System.Net;
using System.Runtime.CompilerServices;
using System.Runtime.ExceptionServices;
using Polly;

namespace ServiceMesh.Http;

/// <summary>A request of an HttpClient on its way to one of the servers of its service.</summary>
internal sealed class HttpCall : Call<HttpResponseMessage>
{
    private const string Doubt = " An earlier attempt failed, and it is not known whether it was processed.";

    private readonly HttpRequestMessage _request;
    private readonly RequestBody _body;
    private readonly ClientService _service;
    private readonly HttpCallOptions _options;
    private readonly ServiceMeshClientOptions _client;
    private readonly bool _isSync;
    private readonly CancellationToken _caller;
    private readonly long _began;
    private HttpStatusCode? _lastStatus;

    private HttpCall(
        HttpRequestMessage request, RequestBody body, ClientService service, HttpCallOptions options, CallSettings settings,
        ServiceMeshClientOptions client, bool isSync, CancellationToken caller)
        : base(settings)
    {
        _client = client;
        _isSync = isSync;
        _caller = caller;
        _request = request;
        _body = body;
        _service = service;
        _options = options;
        _began = service.Clock.GetTimestamp();
    }

    public override bool IsRepeatable => _options.IsRepeatable;

    public override bool CanBeSentAgain => _body.CanBeSentAgain;

    public override string Service => _service.Name;

    public override TimeSpan TotalLimit => _options.Total;

    public override TimeSpan Remaining => _options.Total - _service.Clock.GetElapsedTime(_began);

    public override ImmutableArray<Endpoint> Endpoints => _service.Group.Endpoints;

    public override string? HashKey => _options.HashKey;

    // The content of the caller may keep the token that it is sent with.
    public override bool ReleasesTokens => base.ReleasesTokens && _body.IsReleased;

    protected override bool BodySurvivesAttempts => _body.SurvivesAttempts;

    /// <summary>Creates the call of a request.</summary>
    /// <param name="request">The request.</param>
    /// <param name="service">The service that its host names.</param>
    /// <param name="client">The options of the HttpClient.</param>
    /// <param name="isSync">Whether it is sent on the thread of the caller.</param>
    /// <param name="caller">The token of the caller, which does not fire when a timeout of the mesh does.</param>
    public static HttpCall Of(
        HttpRequestMessage request, ClientService service, ServiceMeshClientOptions client, bool isSync, CancellationToken caller)
    {
        var body = new RequestBody(request.Content, HttpRequestMessageExtensions.HasRepeatableBody(request));
        var settings = service.Settings.With(client.TotalTimeout, client.AttemptTimeout)
            .With(HttpRequestMessageExtensions.RetryOf(request));

        // Attempts of a hedged request run at the same time.
        settings = settings.HedgeAfter is not null && !body.CanBeSentTwiceAtOnce ? settings with { HedgeAfter = null } : settings;
        var options = HttpCallOptions.Of(request, service.Service.Settings, settings, service.Client.HttpClients.ReadAhead);
        return new(request, body, service, options, settings, client, isSync, caller);
    }

    public override ValueTask ReadyAsync(CancellationToken cancellationToken) => _service.ReadyAsync(cancellationToken);

    public override Endpoint? Pick(in PickContext context) => _service.Balancer.Pick(context);

    public override string Describe(Endpoint endpoint) => _service.Service.Describe(endpoint);

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public override async ValueTask<Outcome<AttemptResult<HttpResponseMessage>>> SendAsync(
        Endpoint endpoint, CancellationToken cancellationToken)
    {
        var target = _service.Service.TargetOf(endpoint, forceTls: ServiceUri.DemandsTls(_request.RequestUri!));
        using var span = AttemptSpan.Start(_request.Method.Method, _request.RequestUri!, target, Service, Attempts.Count - 1);
        AttemptContent? upload = null;
        AttemptRequest? attempt = null;
        HttpResponseMessage? response = null;
        try
        {
            // A request without content is sent again by the platform itself if a reused connection ends without an answer. A request that
            // may not be repeated therefore has content, even if it is empty.
            upload = _body.ForAttempt();
            var isTunnel = _request.Headers.Protocol is not null; // the connection carries another protocol, and ends with the stream
            var content = upload ?? (IsRepeatable || isTunnel ? null : (HttpContent)new ByteArrayContent([]));
            attempt = AttemptMessage.Make(_request, content, target, _isSync);
            var began = _service.Clock.GetTimestamp();
            var headersLimit = Settings.HeadersLimit(MayBeAttemptedAgain, Remaining);
            var connections = _service.Connections;
            response = _isSync
                ? connections.Send(attempt, headersLimit, target.Name, cancellationToken)
                : await connections.SendAsync(attempt, headersLimit, target.Name, cancellationToken).ConfigureAwait(false);
            var latency = _service.Clock.GetElapsedTime(began);
            target.Endpoint.RecordBytes(_body.Length ?? 0);
            response.RequestMessage = _request;
            if (!isTunnel && ReadAhead.HasBody(response, _request.Method))
            {
                await ReadAsync(response, target, cancellationToken).ConfigureAwait(false);
            }

            ResponseHeaders.LearnLoad(response, target.Endpoint);
            span.End((int)response.StatusCode);
            return Outcome.FromResult(new AttemptResult<HttpResponseMessage>(response, Classify(response, latency)));
        }
#pragma warning disable CA1031 // The caller receives whatever its own content throws.
        catch (Exception failure)
#pragma warning restore CA1031
        {
            response?.Dispose();
            span.Fail(failure, cancellationToken.IsCancellationRequested);
            return Failed(failure, attempt, upload, cancellationToken);
        }
    }

    // A body that the caller still reads is in flight: it ends the attempt itself.
    public override void End(Endpoint endpoint, Outcome<AttemptResult<HttpResponseMessage>> end)
    {
        if (end is not { Exception: null, Result.Reply.Content: StreamedContent })
        {
            base.End(endpoint, end);
        }

        if (end is { Exception: null, Result.Failure: not null })
        {
            _service.Group.AskAgainIfNoneAnswers();
        }
    }

    public override TimeSpan TakePause(CancellationToken cancellationToken)
    {
        if (!_isSync)
        {
            return base.TakePause(cancellationToken);
        }

        cancellationToken.WaitHandle.WaitOne(Attempts.NextPause); // on the thread of the caller, like all else
        return TimeSpan.Zero;
    }

    public override bool? WantsRetry(AttemptResult<HttpResponseMessage> result) =>
        base.WantsRetry(result) ?? (_client.RetryOn is { } wants && result.Reply is { } response ? wants(response) : null);

    public override void Discard(AttemptResult<HttpResponseMessage> result) => _lastStatus = result.Reply?.StatusCode ?? _lastStatus;

    public override AttemptResult<HttpResponseMessage> NoEndpoint()
    {
        var why = _service.WhyNoEndpoint();
        var error = _service.Group.Endpoints.IsEmpty ? HttpRequestError.NameResolutionError : HttpRequestError.ConnectionError;
        return new(null, AttemptOutcome.NotMade, new HttpRequestException(error, why.Message, why, _lastStatus));
    }

    public override AttemptResult<HttpResponseMessage> TooMany(int max)
    {
        var why = $"There are {max} requests to services in flight, the limit of Http:Limits:Concurrency.";
        return new(null, AttemptOutcome.Refused, new HttpRequestException(why, new RequestNotSentException(why)));
    }

    /// <summary>What the caller receives, in the form of HttpClient.</summary>
    /// <exception cref="HttpRequestException">There is no response.</exception>
    /// <exception cref="TaskCanceledException">A timeout fired; the inner exception says which.</exception>
    public HttpResponseMessage Complete(AttemptResult<HttpResponseMessage> result)
    {
        if (result.Reply is { } response)
        {
            if (Attempts.MayHaveRun)
            {
                response.Headers.Remove(MeshHeader.NotProcessed); // not by this server, but perhaps by an earlier one
            }

            return response;
        }

        if (result.Outcome.Kind == OutcomeKind.Withdrawn)
        {
            ExceptionDispatchInfo.Throw(result.Failure!);
        }

        throw ExceptionFor(result);
    }

    /// <summary>
    /// Whether the caller reads the rest of an answer when the time of its attempt, or of the request, is over. It would be as slow the
    /// next time, also if it pauses. The answer of the slower one of two concurrent attempts is not needed.
    /// </summary>
    public bool MayHandOver() => !_caller.IsCancellationRequested && Hedge is not { HasAnswer: true };

    protected override int StatusOf(HttpResponseMessage reply) => (int)reply.StatusCode;

    private Outcome<AttemptResult<HttpResponseMessage>> Failed(
        Exception failure, AttemptRequest? attempt, AttemptContent? upload, CancellationToken cancellationToken)
    {
        if (failure is not (HttpRequestException or IOException or OperationCanceledException or PhaseTimeoutException) || attempt is null)
        {
            return Ended(AttemptOutcome.Withdrawn, failure); // a request that cannot even be created is the caller's own failure too
        }

        if (cancellationToken.IsCancellationRequested)
        {
            return Outcome.FromException<AttemptResult<HttpResponseMessage>>(
                _service.Connections.Cancelled(attempt, failure, cancellationToken));
        }

        if (upload?.OwnFailure is { } own)
        {
            return Ended(AttemptOutcome.Withdrawn, own);
        }

        if (failure is HttpRequestException { HttpRequestError: HttpRequestError.VersionNegotiationError }
            && AttemptMessage.ChoosesVersion(_request))
        {
            return Ended(AttemptOutcome.Withdrawn, failure); // the server works: it does not support the version that the caller chose
        }

        if (upload is { IsRefusedAndLost: true })
        {
            return Ended(AttemptOutcome.NotMade, failure); // the server did not process it, and its body cannot be sent again
        }

        return Ended(AttemptOutcome.OfFailure(!SendFailure.WasNotSent(attempt, failure), SendFailure.IsOrderly(failure)), failure);

        static Outcome<AttemptResult<HttpResponseMessage>> Ended(AttemptOutcome outcome, Exception failure) =>
            Outcome.FromResult(new AttemptResult<HttpResponseMessage>(null, outcome, failure));
    }

    private ValueTask ReadAsync(HttpResponseMessage response, HttpTarget target, CancellationToken cancellationToken)
    {
        var rest = response.Content.ReadAsStream(cancellationToken);
        var body = new BodyStream(rest, Settings.Idle, _service.Scopes, target.Endpoint, target.Name);
        if (IsRepeatable && CanBeSentAgain && ReadAhead.IsFor(response, _options.ReadAhead))
        {
            if (_isSync)
            {
                ReadAhead.Apply(response, body, _options.ReadAhead, MayHandOver, cancellationToken);
                return default;
            }

            return ReadAheadAsync(response, body, cancellationToken);
        }

        ReadAhead.Stream(response, body);
        return default;
    }

    private async ValueTask ReadAheadAsync(HttpResponseMessage response, BodyStream body, CancellationToken cancellationToken)
    {
        try
        {
            await ReadAhead.ApplyAsync(response, body, _options.ReadAhead, MayHandOver, cancellationToken).ConfigureAwait(false);
        }
        catch
        {
            await body.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    private AttemptOutcome Classify(HttpResponseMessage response, TimeSpan latency)
    {
        var outcome = AttemptOutcome.OfAnswer(
            (int)response.StatusCode, ResponseHeaders.IsFromNode(response), ResponseHeaders.IsNotProcessed(response),
            RetryAfter.Of(response.Headers.RetryAfter, _service.Clock), latency);
        return _client.IsFailed is { } isFailed ? outcome.Judged(isFailed(response)) : outcome;
    }

    private Exception ExceptionFor(AttemptResult<HttpResponseMessage> result)
    {
        var often = Attempts.Count > 1 ? $" It was attempt {Attempts.Count}." : "";
        switch (result.Failure)
        {
            case var _ when PhaseTimeoutException.In(result.Failure) is { } timeout:
                return new TaskCanceledException($"{timeout.Message}{often}", timeout);

            // An earlier attempt may have been processed, so no exception may say that the request was not.
            case HttpRequestException { InnerException: RequestNotSentException or CircuitOpenException } own:
                return Attempts.MayHaveRun
                    ? new HttpRequestException(own.HttpRequestError, $"{own.Message}{Doubt}", null, own.StatusCode)
                    : own;

            case CircuitOpenException open:
                return Attempts.MayHaveRun
                    ? new HttpRequestException(HttpRequestError.ConnectionError, $"{open.Message}{Doubt}", null, _lastStatus)
                    : new HttpRequestException(HttpRequestError.ConnectionError, open.Message, open);

            case var failure:
                var error = (failure as HttpRequestException)?.HttpRequestError ?? (failure as HttpIOException)?.HttpRequestError;
                var (name, why) = ($"{NameOf(result.FailedAt)} of service '{Service}'", SendFailure.Describe(failure!));
                var refusal = SendFailure.IsOrderly(failure!) ? "does not take the request" : "cannot be reached";
                var message = result.Outcome.Kind == OutcomeKind.NotSent
                    ? $"{name} {refusal}: {why}.{often}{(Attempts.MayHaveRun ? Doubt : "")}"
                    : $"The connection to {name} broke before the response was complete ({why}).{often}";
                return new HttpRequestException(error ?? HttpRequestError.Unknown, message, failure);
        }
    }
}
