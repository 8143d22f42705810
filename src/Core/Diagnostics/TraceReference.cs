using System.Diagnostics;

namespace ServiceMesh;

/// <summary>The trace and the span that a message belongs to, for logs and reports; nulls when it belongs to none.</summary>
/// <param name="TraceId">32 hexadecimal digits.</param>
/// <param name="SpanId">16 hexadecimal digits.</param>
internal readonly record struct TraceReference(string? TraceId, string? SpanId)
{
    /// <summary>The span itself where this node has one, else the span that the message was sent in.</summary>
    public static TraceReference Of(Activity? activity, Headers headers)
    {
        // One without a source only passes the caller's trace on, and is itself in no trace.
        if (activity is { IdFormat: ActivityIdFormat.W3C, Source.Name.Length: > 0 })
        {
            return new(activity.TraceId.ToHexString(), activity.SpanId.ToHexString());
        }

        return headers.Count > 0 && ActivityContext.TryParse(headers["traceparent"], null, out var sent)
            ? new(sent.TraceId.ToHexString(), sent.SpanId.ToHexString())
            : default;
    }
}
