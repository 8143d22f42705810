using System.Collections.Immutable;
using System.Net;
using System.Runtime.ExceptionServices;
using Polly;

namespace ServiceMesh.Http;

/// <summary>A request of an ordinary HttpClient on its way to one of the servers of its service.</summary>
internal sealed class HttpCall : Call<HttpResponseMessage>
{
    private const string Doubt = " An attempt before had failed, and whether it was processed is not known.";

    private readonly HttpRequestMessage _request;
    private readonly RequestBody _body;
    private readonly ClientService _service;
    private readonly HttpCallOptions _options;
    private readonly long _began;
    private HttpStatusCode? _lastStatus;

    private HttpCall(HttpRequestMessage request, RequestBody body, ClientService service, HttpCallOptions options, CallSettings settings)
        : base(settings)
    {
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

    protected override bool BodySurvivesAttempts => _body.SurvivesAttempts;

    protected override ImmutableArray<Endpoint> Endpoints => _service.Group.Endpoints;

    protected override string? HashKey => _options.HashKey;

    public static HttpCall Of(HttpRequestMessage request, ClientService service)
    {
        var body = new RequestBody(request.Content, HttpRequestMessageExtensions.HasRepeatableBody(request));
        var settings = service.Settings.With(HttpRequestMessageExtensions.RetryOf(request));

        // Attempts of a hedge run beside each other.
        settings = settings.HedgeAfter is not null && !body.CanBeSentTwiceAtOnce ? settings with { HedgeAfter = null } : settings;
        return new(request, body, service, HttpCallOptions.Of(request, service.Service.Settings, service.Client), settings);
    }

    public override ValueTask ReadyAsync(CancellationToken cancellationToken) => _service.ReadyAsync(cancellationToken);

    public override string Describe(Endpoint endpoint) => _service.Service.Describe(endpoint);

    public override async ValueTask<Outcome<Answer<HttpResponseMessage>>> SendAsync(Endpoint endpoint, CancellationToken cancellationToken)
    {
        var isTls = _service.Service.IsTls(endpoint) || _request.RequestUri!.Scheme == Uri.UriSchemeHttps;
        using var span = AttemptSpan.Start(_request.Method.Method, _request.RequestUri!, isTls, endpoint, Service, Attempts - 1);
        AttemptContent? upload = null;
        AttemptRequest? attempt = null;
        try
        {
            // Without content the platform sends a request once more by itself when a connection that was used before ends without
            // an answer; what may not be repeated has some therefore, if only an empty one.
            upload = _body.ForAttempt();
            var content = upload ?? (IsRepeatable ? null : (HttpContent)new ByteArrayContent([]));
            attempt = AttemptMessage.Make(_request, content, endpoint, isTls, _service.Service.Settings.Http2);
            var response = await ExchangeAsync(attempt, endpoint, cancellationToken).ConfigureAwait(false);
            span.End((int)response.StatusCode);
            return Ended(response, VerdictOn(response));
        }
#pragma warning disable CA1031 // Whatever the caller's own content throws, the caller gets.
        catch (Exception failure)
#pragma warning restore CA1031
        {
            span.Fail(failure, cancellationToken.IsCancellationRequested);
            if (failure is not (HttpRequestException or IOException or OperationCanceledException or PhaseTimeoutException) || attempt is null)
            {
                // What could not even be made is the caller's own too.
                return Ended(null, Verdict.Withdrawn, failure);
            }

            if (cancellationToken.IsCancellationRequested)
            {
                return Outcome.FromException<Answer<HttpResponseMessage>>(
                    _service.Connections.Cancelled(attempt, failure, cancellationToken)); // how it ended meanwhile is nobody's concern
            }

            if (upload?.OwnFailure is { } own)
            {
                return Ended(null, Verdict.Withdrawn, own);
            }

            if (failure is HttpRequestException { HttpRequestError: HttpRequestError.VersionNegotiationError } && AttemptMessage.ChoosesVersion(_request))
            {
                return Ended(null, Verdict.Withdrawn, failure); // the server is well: it does not speak what the caller wants
            }

            endpoint.RecordFailure();
            _service.Group.AskAgainIfNoneAnswers();
            return Ended(null, Connections.WasNotSent(attempt, failure) ? Verdict.NotSent : Verdict.Broken, failure);
        }

        static Outcome<Answer<HttpResponseMessage>> Ended(HttpResponseMessage? response, Verdict verdict, Exception? failure = null) =>
            Outcome.FromResult(new Answer<HttpResponseMessage>(response, verdict, failure));
    }

    // A body that the caller still reads is under way: it ends the attempt itself.
    public override void End(Endpoint endpoint, Outcome<Answer<HttpResponseMessage>> outcome)
    {
        if (outcome is not { Exception: null, Result.Reply.Content: StreamedContent })
        {
            base.End(endpoint, outcome);
        }
    }

    public override void Discard(Answer<HttpResponseMessage> answer) => _lastStatus = answer.Reply?.StatusCode ?? _lastStatus;

    public override Answer<HttpResponseMessage> NobodyCanTake()
    {
        var why = _service.WhyNobodyCanTake();
        var error = _service.Group.Endpoints.IsEmpty ? HttpRequestError.NameResolutionError : HttpRequestError.ConnectionError;
        return new(null, Verdict.NotSent with { IsAgainstEndpoint = false }, new HttpRequestException(error, why.Message, why, _lastStatus));
    }

    public override Answer<HttpResponseMessage> TooMany(int most)
    {
        var why = $"There are {most} requests to services under way already, which is as many as ServiceMesh:Http:Limits:Concurrency allows.";
        return new(null, Verdict.Answered, new HttpRequestException(why, new RequestNotSentException(why)));
    }

    /// <summary>What the caller gets, as HttpClient itself would have it.</summary>
    /// <exception cref="HttpRequestException">There is no answer.</exception>
    /// <exception cref="TaskCanceledException">A timeout fired; the inner exception says which.</exception>
    public HttpResponseMessage Complete(Answer<HttpResponseMessage> answer)
    {
        if (answer.Reply is { } response)
        {
            if (MayHaveRun)
            {
                response.Headers.Remove(MeshHeader.NotProcessed); // by this server not, but perhaps by one before
            }

            return response;
        }

        if (answer.Verdict.Result == AttemptResult.Withdrawn)
        {
            ExceptionDispatchInfo.Throw(answer.Failure!);
        }

        var often = Attempts > 1 ? $" It was attempt {Attempts}." : "";
        throw answer.Failure switch
        {
            _ when PhaseTimeoutException.In(answer.Failure) is { } timeout => new TaskCanceledException($"{timeout.Message}{often}", timeout),
            // An attempt before it may have been processed, so nothing here may say that the request was not.
            HttpRequestException { InnerException: RequestNotSentException or CircuitOpenException } own when MayHaveRun =>
                new HttpRequestException(own.HttpRequestError, $"{own.Message}{Doubt}", null, own.StatusCode),
            CircuitOpenException open when MayHaveRun => new HttpRequestException(HttpRequestError.ConnectionError, $"{open.Message}{Doubt}", null, _lastStatus),
            HttpRequestException { InnerException: RequestNotSentException or CircuitOpenException } own => own,
            CircuitOpenException open => new HttpRequestException(HttpRequestError.ConnectionError, open.Message, open),
            var failure => new HttpRequestException(
                (failure as HttpRequestException)?.HttpRequestError ?? (failure as HttpIOException)?.HttpRequestError ?? HttpRequestError.Unknown,
                answer.Verdict.Result == AttemptResult.NotSent
                    ? $"{NameOf(answer.FailedAt)} of service '{Service}' cannot be reached: {Connections.ReasonOf(failure!)}.{often}{(MayHaveRun ? Doubt : "")}"
                    : $"The connection to {NameOf(answer.FailedAt)} of service '{Service}' broke before the answer was complete ({Connections.ReasonOf(failure!)}).{often}",
                failure),
        };
    }

    protected override int StatusOf(HttpResponseMessage reply) => (int)reply.StatusCode;

    protected override Endpoint? Pick(in PickContext context) => _service.Balancer.Pick(context);

    private async Task<HttpResponseMessage> ExchangeAsync(AttemptRequest attempt, Endpoint endpoint, CancellationToken cancellationToken)
    {
        var began = _service.Clock.GetTimestamp();
        var response = await _service.Connections.SendAsync(
            attempt, Settings.HeadersLimit(IsRepeatable, Remaining), Describe(endpoint), cancellationToken).ConfigureAwait(false);
        try
        {
            var latency = _service.Clock.GetElapsedTime(began);
            endpoint.RecordBytes(_body.Length ?? 0);
            response.RequestMessage = _request;
            if (ReadAhead.HasBody(response, _request.Method))
            {
                await ReadAsync(response, endpoint, cancellationToken).ConfigureAwait(false);
            }

            _service.Connections.Learn(endpoint, response, latency); // now, because an answer that breaks off is no success
            return response;
        }
        catch
        {
            response.Dispose();
            throw;
        }
    }

    private async Task ReadAsync(HttpResponseMessage response, Endpoint endpoint, CancellationToken cancellationToken)
    {
        var rest = await response.Content.ReadAsStreamAsync(cancellationToken).ConfigureAwait(false);
        var body = new BodyStream(rest, _service.Client.Timeouts.Idle, _service.Clock, endpoint, Describe(endpoint));
        if (!(IsRepeatable && CanBeSentAgain && ReadAhead.IsFor(response, _options.ReadAhead)))
        {
            ReadAhead.Stream(response, body);
            return;
        }

        try
        {
            await ReadAhead.ApplyAsync(response, body, _options.ReadAhead, cancellationToken).ConfigureAwait(false);
        }
        catch
        {
            await body.DisposeAsync().ConfigureAwait(false); // with the timer of its silence
            throw;
        }
    }

    private Verdict VerdictOn(HttpResponseMessage response) => Verdict.On(
        (int)response.StatusCode,
        response.Headers.NonValidated.Contains(MeshHeader.Status),
        Connections.SaysNotProcessed(response),
        RetryAfter.Of(response.Headers.RetryAfter, _service.Clock));
}
