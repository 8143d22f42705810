namespace ServiceMesh;

/// <summary>How a report becomes its message again. Pure.</summary>
internal static class Replay
{
    // The trace of a replay is that of the operator.
    private static readonly string[] s_ofTheFirst = ["traceparent", "tracestate", "baggage", ReportScope.Header];

    /// <summary>Why the report cannot be replayed; null, with what its message needs, when it can.</summary>
    public static string? WhyNot(ErrorReport report, out Topic topic, out byte[] body)
    {
        body = [];
        return !Topic.TryParse(report.Topic, out topic) || report.Kind is null
            ? $"'{Printable.Line(report.Topic)}' is not the topic of a message. The report tells of something that was never sent."
            : ReservedTopics.IsReserved(topic) ? $"'{topic}' belongs to the bus itself."
            : !report.TryGetBody(out body)
                ? $"The report has a part of the {report.DataBytes} bytes of the body only. Set Errors:WholeBody for later ones."
            : report.ContentType.Length == 0 && body.Length > 0 ? "The report does not say which content type the body has."
            : null;
    }

    /// <summary>The caller's options with the headers of the message and the id of the first one.</summary>
    public static RequestOptions Options(ErrorReport report, RequestOptions? options)
    {
        var headers = s_ofTheFirst.Aggregate(report.Headers, (all, name) => all.Without(name));
        foreach (var (name, value) in options?.Headers ?? Headers.Empty)
        {
            headers = headers.WithTrusted(name, value);
        }

        // A replay that failed again still names the first message.
        headers = headers.WithTrusted(Headers.ReplayOf, report.Headers[Headers.ReplayOf] ?? report.MessageId);
        return (options ?? new()) with { Headers = headers };
    }
}
