using System.Collections;
using System.Diagnostics;

namespace ServiceMesh;

/// <summary>
/// What every log line within a handler carries as a scope: <c>Topic</c>, <c>Sender</c>, <c>MessageId</c> and, in a trace,
/// <c>TraceId</c>. Nothing of it is made into text before a logger asks.
/// </summary>
internal sealed class HandlingScope(Message message, Activity? activity) : IReadOnlyList<KeyValuePair<string, object?>>
{
    public int Count => TraceId is null ? 3 : 4;

    private string? TraceId => activity is null ? TraceContext.TraceIdOf(message.Headers) : activity.TraceId.ToHexString();

    public KeyValuePair<string, object?> this[int index] => index switch
    {
        0 => new("Topic", message.Topic.ToString()),
        1 => new("Sender", Printable.Line(message.Sender)),
        2 => new("MessageId", Printable.Line(message.Id.ToString())),
        3 when TraceId is { } trace => new("TraceId", trace),
        _ => throw new ArgumentOutOfRangeException(nameof(index), index, null),
    };

    public IEnumerator<KeyValuePair<string, object?>> GetEnumerator()
    {
        for (var i = 0; i < Count; i++)
        {
            yield return this[i];
        }
    }

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    public override string ToString() => string.Join(' ', this.Select(pair => $"{pair.Key}:{pair.Value}"));
}
