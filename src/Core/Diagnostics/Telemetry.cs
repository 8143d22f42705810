using System.Diagnostics;
using System.Diagnostics.Metrics;
using System.Globalization;

namespace ServiceMesh;

/// <summary>
/// Spans and metrics of one bus, after the OpenTelemetry conventions for messaging. Wraps each operation once and
/// costs next to nothing while nothing listens.
/// </summary>
internal sealed class Telemetry
{
    private static readonly ActivitySource s_source = new(MeshTelemetry.SourceName);

    // Encodes and decodes baggage.
    private static readonly DistributedContextPropagator s_w3c = DistributedContextPropagator.CreateW3CPropagator();

    // On the span of a web server that nothing listens to: whether the spans below it are sampled.
    private const string DecisionProperty = "ServiceMesh.IsSampled";

    // The boundaries that the conventions recommend for these histograms, in seconds.
    private static readonly InstrumentAdvice<double> s_seconds = new()
    {
        HistogramBucketBoundaries = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10],
    };

    private readonly string _system;
    private readonly TimeProvider _clock;
    private readonly Histogram<double> _sendDuration;
    private readonly Histogram<double> _processDuration;
    private readonly Counter<long> _sent;
    private readonly Counter<long> _consumed;
    private readonly Counter<long> _rejected;
    private readonly Counter<long> _dropped;
    private readonly Counter<long> _reports;
    private readonly ObservableUpDownCounter<int> _inFlight;
    private readonly Meter _meter;
    private int _requestsInFlight;

    public Telemetry(IMeterFactory meters, string system, TimeProvider clock)
    {
        _system = system;
        _clock = clock;
        _meter = meters.Create(MeshTelemetry.MeterName);
        _sendDuration = _meter.CreateHistogram(
            "messaging.client.operation.duration", "s", "Duration of sending, for a request until its reply.", null, s_seconds);
        _processDuration = _meter.CreateHistogram("messaging.process.duration", "s", "Duration of handling one message.", null, s_seconds);
        _sent = _meter.CreateCounter<long>("messaging.client.sent.messages", "{message}", "Messages given to the transport.");
        _consumed = _meter.CreateCounter<long>("messaging.client.consumed.messages", "{message}", "Messages given to a handler.");
        _rejected = _meter.CreateCounter<long>("servicemesh.rejected.messages", "{message}", "Messages refused before a handler ran.");
        _dropped = _meter.CreateCounter<long>("servicemesh.dropped.messages", "{message}", "Messages lost, by reason.");
        _reports = _meter.CreateCounter<long>("servicemesh.error.reports", "{report}", "Error reports, by what became of them.");
        _inFlight = _meter.CreateObservableUpDownCounter(
            "servicemesh.requests.in_flight",
            () => new Measurement<int>(Volatile.Read(ref _requestsInFlight), System),
            "{request}", "Requests that wait for their reply.");
    }

    private KeyValuePair<string, object?> System => new("messaging.system", _system);

    /// <summary>Publishes how many messages run and wait on this node.</summary>
    /// <param name="handlers">Asked for at each collection.</param>
    public void Observe(Func<IEnumerable<HandlerLoad>> handlers)
    {
        _meter.CreateObservableUpDownCounter(
            "servicemesh.handlers.in_flight",
            () => handlers().Select(h => Measure(h, h.Running)),
            "{message}", "Messages being handled.");
        _meter.CreateObservableUpDownCounter(
            "servicemesh.handlers.queued",
            () => handlers().Select(h => Measure(h, h.Waiting)),
            "{message}", "Messages waiting for a place.");

        Measurement<int> Measure(HandlerLoad handler, int value) => new(
            value, System, new("messaging.destination.template", ReservedTopics.Series(handler.Pattern.ToString())),
            new("messaging.consumer.group.name", handler.Group));
    }

    /// <summary>The time from which a duration counts; 0 while no duration is measured, which saves a look at the clock.</summary>
    public long StartTime() => _sendDuration.Enabled ? _clock.GetTimestamp() : 0;

    /// <summary>
    /// Counts a request in flight. False while nothing listens: all processors write to the one counter, which would cost a request
    /// more than its encoding.
    /// </summary>
    public bool CountRequest()
    {
        if (!_inFlight.Enabled)
        {
            return false;
        }

        Interlocked.Increment(ref _requestsInFlight);
        return true;
    }

    /// <summary>Ends what <see cref="CountRequest"/> began.</summary>
    public void UncountRequest() => Interlocked.Decrement(ref _requestsInFlight);

    /// <summary>
    /// Begins a request or signal: a span of its own under the current one; null while nothing listens. The current span stays what it
    /// is: the caller's code goes on in it.
    /// </summary>
    public Activity? StartSend(MessageKind kind, Topic topic)
    {
        if (!s_source.HasListeners() || ReservedTopics.IsLog(topic))
        {
            return null; // log entries are of a trace, and no part of it
        }

        var (name, callers) = (NameOf(kind), Activity.Current);
        var activity = StartBelow(
            callers, $"{name} {topic}", kind == MessageKind.Request ? ActivityKind.Client : ActivityKind.Producer);
        Activity.Current = callers;
        Describe(activity, name, "send")?.SetTag("messaging.destination.name", topic.ToString());
        return activity;
    }

    /// <summary>Makes a span current for the rest of an asynchronous method, and of what it calls.</summary>
    public static void Enter(Activity? activity)
    {
        if (activity is not null)
        {
            Activity.Current = activity;
        }
    }

    /// <summary>
    /// The headers with the trace in them, so that the handler's span becomes a child of this one. Trace context that the caller gave
    /// is one unit: it is replaced as a whole when there is a span, and kept as a whole when there is none.
    /// </summary>
    public static Headers Inject(Activity? activity, Headers headers)
    {
        var current = activity ?? Activity.Current;
        if (current is not { IdFormat: ActivityIdFormat.W3C, Id: { } id })
        {
            return headers;
        }

        headers = headers[TraceContext.Parent] is null ? headers : headers.WithoutTrace();
        headers = headers.WithTrusted(TraceContext.Parent, id);
        if (current.TraceStateString is { Length: > 0 } state)
        {
            headers = headers.With(TraceContext.State, state); // which comes from outside
        }

        return current.Baggage.Any() && headers[TraceContext.Baggage] is null && BaggageOf(current) is { Length: > 0 } baggage
            ? headers.With(TraceContext.Baggage, baggage)
            : headers;
    }

    /// <summary>Adds to the span of a send what is known once the message is made.</summary>
    public static void DescribeMessage(Activity? activity, Message message)
    {
        if (activity is { IsAllDataRequested: true })
        {
            activity.SetTag("messaging.message.id", message.Id.ToString());
            activity.SetTag("messaging.message.body.size", message.BodyLength);
        }
    }

    /// <summary>Ends a request or signal; <see cref="StatusCode.None"/> says that the caller cancelled.</summary>
    public void EndSend(MessageKind kind, Topic topic, Activity? activity, long started, StatusCode status)
    {
        var error = ErrorOf(status);
        if (_sent.Enabled || _sendDuration.Enabled)
        {
            var tags = new TagList
            {
                System,
                { "messaging.operation.name", NameOf(kind) },
                { "messaging.operation.type", "send" },
                { "messaging.destination.name", ReservedTopics.Series(topic.ToString()) },
            };
            if (error is not null)
            {
                tags.Add("error.type", error);
            }

            _sent.Add(1, tags);
            if (started != 0)
            {
                _sendDuration.Record(_clock.GetElapsedTime(started).TotalSeconds, tags);
            }
        }

        if (activity is not null)
        {
            SetError(activity, error);
            activity.Dispose();
        }
    }

    /// <summary>Begins handling: a span under the one of the sender, which came with the headers; null while nothing listens.</summary>
    public Activity? StartProcess(Message message, TopicPattern pattern, string? group)
    {
        if (_consumed.Enabled)
        {
            _consumed.Add(1, ProcessTags(pattern, group));
        }

        var hasParent = TryReadParent(message.Headers, out var parent);
        var activity = s_source.HasListeners() && !ReservedTopics.IsLog(message.Topic)
            ? s_source.StartActivity($"process {message.Topic}", ActivityKind.Consumer, parent)
            : null;
        if (activity is null)
        {
            return hasParent ? PassOn(message.Headers, parent) : null;
        }

        TakeBaggage(message.Headers, activity);
        if (Describe(activity, "process", "process") is { } described)
        {
            described.SetTag("messaging.destination.name", message.Topic.ToString());
            DescribeMessage(described, message);
            if (!pattern.IsExact)
            {
                described.SetTag("messaging.destination.template", pattern.ToString());
            }

            if (group is not null)
            {
                described.SetTag("messaging.consumer.group.name", group);
            }
        }

        return activity;
    }

    /// <summary>Ends handling, at the moment at which the outcome is known.</summary>
    public void EndProcess(Activity? activity, long started, TopicPattern pattern, string? group, StatusCode status, Exception? exception)
    {
        if (_processDuration.Enabled)
        {
            var tags = ProcessTags(pattern, group);
            if (status.IsFailure)
            {
                tags.Add("error.type", ErrorType(status));
            }

            _processDuration.Record(_clock.GetElapsedTime(started).TotalSeconds, tags);
        }

        if (activity is not null)
        {
            SetOutcome(activity, status, exception);
            activity.Dispose();
        }
    }

    /// <summary>A composition's own span: the parent of all its steps.</summary>
    public static Activity? StartComposition<T>(Resumption<T> composition) => s_source.HasListeners()
        ? StartBelow(Activity.Current, $"execute {composition.Name}", ActivityKind.Internal)
        : null;

    /// <summary>Ends it; <see cref="StatusCode.None"/> says that the caller cancelled.</summary>
    public static void EndComposition(Activity? activity, StatusCode status)
    {
        if (activity is not null)
        {
            SetError(activity, ErrorOf(status));
            activity.Dispose();
        }
    }

    /// <summary>A message was refused before a handler ran.</summary>
    public void Rejected(TopicPattern pattern, string reason)
    {
        if (_rejected.Enabled)
        {
            _rejected.Add(
                1, System, new("messaging.destination.template", ReservedTopics.Series(pattern.ToString())),
                new("servicemesh.reason", reason));
        }
    }

    /// <summary>A message is lost.</summary>
    public void Dropped(string reason, string topic)
    {
        if (_dropped.Enabled)
        {
            _dropped.Add(1, System, new("messaging.destination.name", ReservedTopics.Series(topic)), new("servicemesh.reason", reason));
        }
    }

    /// <summary>What happened to error reports.</summary>
    public void Report(string outcome, int count = 1) => _reports.Add(count, System, new("servicemesh.outcome", outcome));

    // A web server makes a span for each request also when nothing listens to its spans, and nothing has decided then whether to
    // sample the trace. A sampler would take that for a decision against it, so it is asked here, once for each such span.
    private static Activity? StartBelow(Activity? callers, string name, ActivityKind kind)
    {
        if (callers is not { Recorded: false, IdFormat: ActivityIdFormat.W3C, ParentId: null, Source.Name.Length: 0 })
        {
            return s_source.StartActivity(name, kind);
        }

        if (callers.GetCustomProperty(DecisionProperty) is not bool isSampled)
        {
            Activity.Current = null;
            isSampled = s_source.CreateActivity(name, kind) is { Recorded: true };
            Activity.Current = callers;
            callers.SetCustomProperty(DecisionProperty, isSampled);
        }

        if (!isSampled)
        {
            return s_source.StartActivity(name, kind);
        }

        var activity = s_source.StartActivity(
            name, kind, new ActivityContext(callers.TraceId, callers.SpanId, ActivityTraceFlags.Recorded, callers.TraceStateString));
        foreach (var (key, value) in callers.Baggage.Reverse())
        {
            activity?.AddBaggage(key, value); // which it has from a parent only
        }

        return activity;
    }

    private static bool TryReadParent(Headers headers, out ActivityContext parent)
    {
        parent = default;
        return headers.Count > 0 && headers[TraceContext.Parent] is { } id
            && ActivityContext.TryParse(id, headers[TraceContext.State], isRemote: true, out parent);
    }

    // Nothing listens here, or the trace is not sampled: what the handler sends and logs still belongs to the trace.
    private static Activity PassOn(Headers headers, ActivityContext parent)
    {
        var activity = new Activity("process").SetParentId(parent.TraceId, parent.SpanId, parent.TraceFlags);
        activity.TraceStateString = parent.TraceState;
        TakeBaggage(headers, activity);
        return activity.Start();
    }

    private static void TakeBaggage(Headers headers, Activity activity)
    {
        if (headers.Count == 0 || headers[TraceContext.Baggage] is null)
        {
            return;
        }

        var baggage = s_w3c.ExtractBaggage(
            headers, static (object? carrier, string name, out string? value, out IEnumerable<string>? values) =>
                (value, values) = (((Headers)carrier!)[name], null));
        foreach (var (name, value) in baggage ?? [])
        {
            activity.AddBaggage(name, value);
        }
    }

    // Empty when there is more of it than the platform sends.
    private static string BaggageOf(Activity activity)
    {
        var baggage = new System.Text.StringBuilder();
        s_w3c.Inject(activity, baggage, static (carrier, name, value) =>
        {
            if (name == TraceContext.Baggage)
            {
                ((System.Text.StringBuilder)carrier!).Append(value);
            }
        });
        return baggage.ToString();
    }

    private Activity? Describe(Activity? activity, string operation, string type)
    {
        if (activity is { IsAllDataRequested: true })
        {
            activity.SetTag("messaging.system", _system);
            activity.SetTag("messaging.operation.name", operation);
            activity.SetTag("messaging.operation.type", type);
            return activity;
        }

        return null;
    }

    private TagList ProcessTags(TopicPattern pattern, string? group)
    {
        var tags = new TagList
        {
            System,
            { "messaging.operation.name", "process" },
            { "messaging.operation.type", "process" },
            {
                pattern.IsExact ? "messaging.destination.name" : "messaging.destination.template",
                ReservedTopics.Series(pattern.ToString())
            },
        };
        if (group is not null)
        {
            tags.Add("messaging.consumer.group.name", group);
        }

        return tags;
    }

    private static void SetOutcome(Activity activity, StatusCode status, Exception? exception)
    {
        if (status.IsFailure)
        {
            SetError(activity, ErrorType(status));
            if (exception is not null)
            {
                activity.AddException(exception);
            }
        }
    }

    private static void SetError(Activity activity, string? error)
    {
        if (error is not null)
        {
            activity.SetStatus(ActivityStatusCode.Error);
            activity.SetTag("error.type", error);
        }
    }

    private static string NameOf(MessageKind kind) => kind == MessageKind.Request ? "request" : "signal";

    // A caller that cancelled has no status.
    private static string? ErrorOf(StatusCode status) =>
        status == StatusCode.None ? "cancelled" : status.IsFailure ? ErrorType(status) : null;

    private static string ErrorType(StatusCode status) => ((int)status).ToString(CultureInfo.InvariantCulture);
}

/// <summary>How many messages one handler has at one moment.</summary>
internal readonly record struct HandlerLoad(TopicPattern Pattern, string? Group, int Running, int Waiting);
