using System.Buffers;
using System.Diagnostics.CodeAnalysis;

namespace ServiceMesh;

/// <summary>
/// What is called: a dotted name such as <c>weather.fetch</c>. Segments have letters, digits, <c>-</c> and <c>_</c> of
/// ASCII and are not empty; the whole has at most <see cref="MaxLength"/> characters. Case matters.
/// </summary>
public readonly struct Topic : IEquatable<Topic>
{
    /// <summary>The most characters of a topic or pattern: 255.</summary>
    public const int MaxLength = 255;

    internal const string Grammar =
        "A topic is one or more segments joined by '.'; a segment has letters, digits, '-' and '_' (ASCII); 255 characters at most.";

    private static readonly SearchValues<char> s_segmentCharacters =
        SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_");

    private readonly string? _value;

    private Topic(string value) => _value = value;

    /// <summary>Reads a topic.</summary>
    /// <exception cref="FormatException">The text is outside the grammar; the message names it and says what is allowed.</exception>
    public static Topic Parse(string text) => TryParse(text, out var topic, out var error) ? topic : throw new FormatException(error);

    /// <summary>Reads a topic that came from outside.</summary>
    public static bool TryParse([NotNullWhen(true)] string? text, out Topic topic) => TryParse(text, out topic, out _);

    internal static bool TryParse([NotNullWhen(true)] string? text, out Topic topic, [NotNullWhen(false)] out string? error)
    {
        topic = default;
        error = Complain(text);
        if (error is not null)
        {
            return false;
        }

        topic = new(text!);
        return true;
    }

    /// <summary>True for a name that may stand between two dots, and for a group.</summary>
    internal static bool IsSegment(ReadOnlySpan<char> text) => text.Length > 0 && !text.ContainsAnyExcept(s_segmentCharacters);

    private static string? Complain(string? text)
    {
        if (string.IsNullOrEmpty(text))
        {
            return $"A topic is missing. {Grammar}";
        }

        if (text.Length > MaxLength)
        {
            return $"The topic '{text[..32]}…' has {text.Length} characters. {Grammar}";
        }

        foreach (var range in text.AsSpan().Split('.'))
        {
            if (IsSegment(text.AsSpan(range)))
            {
                continue;
            }

            return text.Contains('*', StringComparison.Ordinal)
                ? $"'{text}' contains '*' and so is a pattern; " +
                  $"only signals can be subscribed to by pattern, and nothing can be sent to one. {Grammar}"
                : $"'{text}' is not a topic. {Grammar}";
        }

        return null;
    }

    /// <inheritdoc/>
    public override string ToString() => _value ?? "";

    /// <inheritdoc/>
    public bool Equals(Topic other) => ToString() == other.ToString();

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is Topic other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode() => ToString().GetHashCode(StringComparison.Ordinal);

    /// <summary>Ordinal equality.</summary>
    public static bool operator ==(Topic left, Topic right) => left.Equals(right);

    /// <summary>Ordinal inequality.</summary>
    public static bool operator !=(Topic left, Topic right) => !left.Equals(right);
}
