using System.Diagnostics;
using System.Diagnostics.Metrics;
using System.Globalization;

namespace ServiceMesh;

/// <summary>
/// Spans and metrics of one bus, after the OpenTelemetry conventions for messaging. Wraps each operation once and
/// costs next to nothing while nobody listens.
/// </summary>
internal sealed class Telemetry
{
    /// <summary>The name of both the activity source and the meter.</summary>
    public const string Name = "ServiceMesh";

    private static readonly ActivitySource s_source = new(Name);

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
    private readonly Meter _meter;
    private int _requestsInFlight;

    public Telemetry(IMeterFactory meters, string system, TimeProvider clock)
    {
        _system = system;
        _clock = clock;
        _meter = meters.Create(Name);
        _sendDuration = _meter.CreateHistogram("messaging.client.operation.duration", "s", "Duration of sending, for a request until its reply.", null, s_seconds);
        _processDuration = _meter.CreateHistogram("messaging.process.duration", "s", "Duration of handling one message.", null, s_seconds);
        _sent = _meter.CreateCounter<long>("messaging.client.sent.messages", "{message}", "Messages given to the transport.");
        _consumed = _meter.CreateCounter<long>("messaging.client.consumed.messages", "{message}", "Messages given to a handler.");
        _rejected = _meter.CreateCounter<long>("servicemesh.rejected.messages", "{message}", "Messages refused before a handler ran.");
        _dropped = _meter.CreateCounter<long>("servicemesh.dropped.messages", "{message}", "Messages lost, by reason.");
        _reports = _meter.CreateCounter<long>("servicemesh.error.reports", "{report}", "Error reports, by what became of them.");
        _meter.CreateObservableUpDownCounter(
            "servicemesh.requests.in_flight",
            () => new Measurement<int>(Volatile.Read(ref _requestsInFlight), System),
            "{request}", "Requests that wait for their reply.");
    }

    private KeyValuePair<string, object?> System => new("messaging.system", _system);

    /// <summary>Publishes how many messages run and wait on this node.</summary>
    public void Observe(SubscriptionRegistry subscriptions)
    {
        _meter.CreateObservableUpDownCounter(
            "servicemesh.handlers.in_flight",
            () => subscriptions.Snapshot().Select(s => Measure(s, s.Gate.Running)),
            "{message}", "Messages being handled.");
        _meter.CreateObservableUpDownCounter(
            "servicemesh.handlers.queued",
            () => subscriptions.Snapshot().Select(s => Measure(s, s.Gate.Waiting)),
            "{message}", "Messages waiting for a place.");

        Measurement<int> Measure(Subscription s, int value) => new(
            value, System, new("messaging.destination.template", s.Pattern.ToString()), new("messaging.consumer.group.name", s.Group));
    }

    /// <summary>Begins a request or signal: a span of its own under the current one.</summary>
    public SendOperation StartSend(MessageKind kind, Topic topic)
    {
        var name = kind == MessageKind.Request ? "request" : "signal";
        Activity? activity = null;
        if (s_source.HasListeners())
        {
            activity = s_source.StartActivity($"{name} {topic}", kind == MessageKind.Request ? ActivityKind.Client : ActivityKind.Producer);
            Describe(activity, name, "send")?.SetTag("messaging.destination.name", topic.ToString());
        }

        if (kind == MessageKind.Request)
        {
            Interlocked.Increment(ref _requestsInFlight);
        }

        return new(this, kind, name, topic, activity, _clock.GetTimestamp());
    }

    /// <summary>Begins handling: a span under the one of the sender, which came with the headers.</summary>
    public ProcessOperation StartProcess(Delivery delivery)
    {
        Activity? activity = null;
        var message = delivery.Message;
        if (s_source.HasListeners())
        {
            ActivityContext.TryParse(message.Headers[TraceParent], message.Headers[TraceState], isRemote: true, out var parent);
            activity = s_source.StartActivity($"process {message.Topic}", ActivityKind.Consumer, parent);
            if (Describe(activity, "process", "process") is { } described)
            {
                described.SetTag("messaging.destination.name", message.Topic.ToString());
                described.SetTag("messaging.message.id", message.Id.ToString());
                described.SetTag("messaging.message.body.size", message.Body.Length);
                if (!delivery.Subscription.Pattern.IsExact)
                {
                    described.SetTag("messaging.destination.template", delivery.Subscription.Pattern.ToString());
                }

                if (delivery.Subscription.Group is { } group)
                {
                    described.SetTag("messaging.consumer.group.name", group);
                }
            }
        }

        if (_consumed.Enabled)
        {
            _consumed.Add(1, ProcessTags(delivery));
        }

        return new(this, delivery, activity, _clock.GetTimestamp());
    }

    /// <summary>A composition's own span: the parent of all its steps.</summary>
    public static Activity? StartComposition<T>(Resumption<T> composition) => s_source.HasListeners()
        ? s_source.StartActivity($"execute {composition.Remaining}", ActivityKind.Internal)
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

    public void Rejected(Subscription subscription, string reason)
    {
        if (_rejected.Enabled)
        {
            _rejected.Add(1, System, new("messaging.destination.template", subscription.Pattern.ToString()), new("servicemesh.reason", reason));
        }
    }

    public void Dropped(string reason, string topic)
    {
        if (_dropped.Enabled)
        {
            _dropped.Add(1, System, new("messaging.destination.name", topic), new("servicemesh.reason", reason));
        }
    }

    public void Report(string outcome, int count = 1) => _reports.Add(count, System, new("servicemesh.outcome", outcome));

    internal const string TraceParent = "traceparent";
    internal const string TraceState = "tracestate";

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

    private TagList ProcessTags(Delivery delivery)
    {
        var subscription = delivery.Subscription;
        var tags = new TagList
        {
            System,
            { "messaging.operation.name", "process" },
            { "messaging.operation.type", "process" },
            { subscription.Pattern.IsExact ? "messaging.destination.name" : "messaging.destination.template", subscription.Pattern.ToString() },
        };
        if (subscription.Group is { } group)
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

    // Who asked has no status when it cancelled.
    private static string? ErrorOf(StatusCode status) =>
        status == StatusCode.None ? "cancelled" : status.IsFailure ? ErrorType(status) : null;

    private static string ErrorType(StatusCode status) => ((int)status).ToString(CultureInfo.InvariantCulture);

    /// <summary>One request or signal from encoding to its end.</summary>
    internal readonly struct SendOperation(Telemetry telemetry, MessageKind kind, string name, Topic topic, Activity? activity, long started)
    {
        /// <summary>Adds the trace to the headers, so that the handler's span becomes a child of this one.</summary>
        public Headers Inject(Headers headers)
        {
            var current = activity ?? Activity.Current;
            if (current is not { IdFormat: ActivityIdFormat.W3C, Id: { } id })
            {
                return headers;
            }

            headers = headers.WithTrusted(TraceParent, id);
            return current.TraceStateString is { Length: > 0 } state ? headers.WithTrusted(TraceState, state) : headers;
        }

        public void DescribeMessage(Message message)
        {
            if (activity is { IsAllDataRequested: true })
            {
                activity.SetTag("messaging.message.id", message.Id.ToString());
                activity.SetTag("messaging.message.body.size", message.Body.Length);
            }
        }

        /// <summary>Ends it; <see cref="StatusCode.None"/> says that the caller cancelled.</summary>
        public void End(StatusCode status)
        {
            if (kind == MessageKind.Request)
            {
                Interlocked.Decrement(ref telemetry._requestsInFlight);
            }

            var error = ErrorOf(status);
            if (telemetry._sent.Enabled || telemetry._sendDuration.Enabled)
            {
                var tags = new TagList
                {
                    telemetry.System,
                    { "messaging.operation.name", name },
                    { "messaging.operation.type", "send" },
                    { "messaging.destination.name", topic.ToString() },
                };
                if (error is not null)
                {
                    tags.Add("error.type", error);
                }

                telemetry._sent.Add(1, tags);
                telemetry._sendDuration.Record(telemetry._clock.GetElapsedTime(started).TotalSeconds, tags);
            }

            if (activity is not null)
            {
                SetError(activity, error);
                activity.Dispose();
            }
        }
    }

    /// <summary>One message from its turn to its settlement.</summary>
    internal readonly struct ProcessOperation(Telemetry telemetry, Delivery delivery, Activity? activity, long started) : IDisposable
    {
        public void End(StatusCode status, Exception? exception)
        {
            if (activity is not null)
            {
                SetOutcome(activity, status, exception);
            }

            if (telemetry._processDuration.Enabled)
            {
                var tags = telemetry.ProcessTags(delivery);
                if (status.IsFailure)
                {
                    tags.Add("error.type", ErrorType(status));
                }

                telemetry._processDuration.Record(telemetry._clock.GetElapsedTime(started).TotalSeconds, tags);
            }
        }

        public void Dispose() => activity?.Dispose();
    }
}
