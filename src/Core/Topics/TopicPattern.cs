using System.Diagnostics.CodeAnalysis;

namespace ServiceMesh;

/// <summary>
/// A topic in which <c>*</c> stands for segments: one that is a whole segment matches exactly one segment, and one at
/// the end matches every non-empty rest. <c>event.*</c> matches <c>event.user</c> and <c>event.user.created</c>;
/// <c>*.created</c> matches <c>user.created</c> only. A plain topic is a pattern that matches itself. The bus's own
/// topics, which begin with <c>mesh.</c>, are matched only by patterns that begin so too. Immutable.
/// </summary>
public sealed class TopicPattern : IEquatable<TopicPattern>
{
    internal const string Grammar =
        "A pattern is a topic in which a whole segment may be '*': in the middle it matches one segment, at the end every non-empty rest.";

    private readonly string _text;

    private TopicPattern(string text, string[] segments)
    {
        _text = text;
        Segments = segments;
        IsExact = !segments.Contains("*");
    }

    /// <summary>True when there is no <c>*</c>: the pattern is a topic.</summary>
    public bool IsExact { get; }

    internal IReadOnlyList<string> Segments { get; }

    /// <summary>Reads a pattern.</summary>
    /// <exception cref="FormatException">The text is outside the grammar; the message names it and says what is allowed.</exception>
    public static TopicPattern Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        return TryParse(text, out var pattern)
            ? pattern
            : throw new FormatException($"'{text}' is not a pattern. {Grammar} {Topic.Grammar}");
    }

    /// <summary>Reads a pattern that came from outside.</summary>
    internal static bool TryParse(string text, [NotNullWhen(true)] out TopicPattern? pattern)
    {
        pattern = null;
        if (text.Length > Topic.MaxLength)
        {
            return false;
        }

        var segments = text.Split('.');
        pattern = segments.All(s => s == "*" || Topic.IsSegment(s)) ? new(text, segments) : null;
        return pattern is not null;
    }

    /// <summary>A pattern that matches this topic only.</summary>
    public static TopicPattern From(Topic topic) => new(topic.ToString(), topic.ToString().Split('.'));

    /// <summary>True when the topic is one of those that the pattern stands for. Does not allocate.</summary>
    public bool Matches(Topic topic)
    {
        var rest = topic.ToString().AsSpan();
        if (rest.StartsWith(ReservedTopics.Prefix) && !ReservedTopics.IsReserved(this))
        {
            return false;
        }

        for (var i = 0; i < Segments.Count; i++)
        {
            if (rest.IsEmpty)
            {
                return false;
            }

            var last = i == Segments.Count - 1;
            if (last && Segments[i] == "*")
            {
                return true;
            }

            var dot = rest.IndexOf('.');
            var segment = dot < 0 ? rest : rest[..dot];
            if (Segments[i] != "*" && !segment.SequenceEqual(Segments[i]))
            {
                return false;
            }

            rest = dot < 0 ? default : rest[(dot + 1)..];
        }

        return rest.IsEmpty;
    }

    /// <inheritdoc/>
    public override string ToString() => _text;

    /// <inheritdoc/>
    public bool Equals(TopicPattern? other) => other is not null && _text == other._text;

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as TopicPattern);

    /// <inheritdoc/>
    public override int GetHashCode() => _text.GetHashCode(StringComparison.Ordinal);
}
