using System.Collections;
using System.Diagnostics.CodeAnalysis;

namespace ServiceMesh;

/// <summary>
/// Small named texts that travel beside a body: a tenant, a trace, a key. Immutable, so one value may be shared by a
/// thousand messages; names ignore case, as they do in HTTP.
/// </summary>
/// <remarks>
/// A name has 1 to 64 letters, digits, <c>-</c>, <c>_</c> or <c>.</c>; a value is any text without control characters.
/// A message carries at most <see cref="MaxCount"/> headers of <see cref="MaxCharacters"/> characters in all: headers
/// are read before any limit on bodies applies, so they have one of their own. <c>traceparent</c>, <c>tracestate</c> (at most 512
/// characters) and <c>baggage</c> (at most 8,192) do not count; such a header that is too long or has a control character is dropped.
/// </remarks>
public sealed class Headers : IReadOnlyCollection<KeyValuePair<string, string>>
{
    /// <summary>The most headers one message carries: 64.</summary>
    public const int MaxCount = 64;

    /// <summary>The most characters that all names and values of one message have together: 8,192.</summary>
    public const int MaxCharacters = 8192;

    /// <summary>
    /// The header that makes a request repeatable: its handler recognizes a second one with the same value. Over HTTP
    /// it travels under this name, as <c>draft-ietf-httpapi-idempotency-key-header</c> has it.
    /// </summary>
    public const string IdempotencyKey = "idempotency-key";

    /// <summary>
    /// The header of a message that was replayed from the error queue: the id of the message that failed first. A handler that
    /// remembers the ids of what it has done recognizes it. Set by <see cref="IErrorQueue.ReplayAsync"/>.
    /// </summary>
    public const string ReplayOf = "mesh-replay-of";

    // Marks a message that was sent because of an error report.
    internal const string AboutReport = "mesh-about-report";

    // A mark is the id of a message.
    private const int MaxMarkLength = 512;

    // The headers of the bus itself, which do not count against the limits: the trace context and the two marks.
    internal const int OwnHeaders = TraceContext.Count + 2;

    // A handful of entries: a linear search over an array beats a dictionary and costs one object.
    private readonly KeyValuePair<string, string>[] _entries;

    private Headers(KeyValuePair<string, string>[] entries) => _entries = entries;

    /// <summary>No headers.</summary>
    public static Headers Empty { get; } = new([]);

    /// <inheritdoc/>
    public int Count => _entries.Length;

    /// <summary>Those that count against the limits: all but the bus's own.</summary>
    internal int CountOfApplication => _entries.Count(e => !IsOwn(e.Key));

    /// <summary>Whether they are within the limits that a receiver checks.</summary>
    internal bool AreWithinLimits =>
        CountOfApplication <= MaxCount
        && _entries.Sum(e => IsOwn(e.Key) ? 0 : e.Key.Length + e.Value.Length) <= MaxCharacters
        && !Array.Exists(_entries, e => IsMark(e.Key) && e.Value.Length > MaxMarkLength);

    /// <summary>The value of a header, or null when there is none of that name.</summary>
    public string? this[string name] => TryGet(name, out var value) ? value : null;

    /// <summary>Makes headers from pairs; of two with the same name the later one stays.</summary>
    /// <exception cref="ArgumentException">A name, a value or the whole is outside the limits.</exception>
    public static Headers Of(params ReadOnlySpan<(string Name, string Value)> headers)
    {
        var result = Empty;
        foreach (var (name, value) in headers)
        {
            result = result.With(name, value);
        }

        return result;
    }

    /// <summary>
    /// Reads headers that came over a wire. False when there are too many, or a name or value is outside the limits. Trace context that
    /// is outside its limits is dropped.
    /// </summary>
    public static bool TryRead(IReadOnlyList<(string Name, string Value)> headers, [NotNullWhen(true)] out Headers? result)
    {
        ArgumentNullException.ThrowIfNull(headers);
        result = null;
        var (entries, own, characters) = (new List<KeyValuePair<string, string>>(Math.Min(headers.Count, MaxCount + OwnHeaders)), 0, 0);
        foreach (var (name, value) in headers)
        {
            if (TraceContext.Owns(name))
            {
                if (!TraceContext.IsValid(name, value))
                {
                    continue;
                }
            }
            else if (IsMark(name)
                ? value.Length > MaxMarkLength
                : ++own > MaxCount || (characters += name.Length + value.Length) > MaxCharacters)
            {
                return false;
            }
            else if (!IsName(name) || value.Any(char.IsControl))
            {
                return false;
            }

            entries.RemoveAll(e => e.Key.Equals(name, StringComparison.OrdinalIgnoreCase));
            entries.Add(new(name, value));
        }

        result = entries.Count == 0 ? Empty : new([.. entries]);
        return true;
    }

    /// <summary>These headers with one more, or with another value for a name that is there already.</summary>
    /// <exception cref="ArgumentException">The name, the value or the whole is outside the limits.</exception>
    public Headers With(string name, string value)
    {
        ArgumentNullException.ThrowIfNull(name);
        ArgumentNullException.ThrowIfNull(value);
        if (TraceContext.Owns(name))
        {
            return TraceContext.IsValid(name, value) ? WithTrusted(name, value) : Without(name);
        }

        Check(name, value);
        var headers = WithTrusted(name, value);
        CheckSize(headers._entries);
        return headers;
    }

    /// <summary>These headers without one; the same object when there is none of that name.</summary>
    public Headers Without(string name)
    {
        var at = IndexOf(name);
        return at < 0 ? this : new([.. _entries.AsSpan(0, at), .. _entries.AsSpan(at + 1)]);
    }

    /// <summary>Looks a header up.</summary>
    public bool TryGet(string name, [NotNullWhen(true)] out string? value)
    {
        var at = IndexOf(name);
        value = at < 0 ? null : _entries[at].Value;
        return at >= 0;
    }

    /// <summary>These headers without trace context: <c>traceparent</c>, <c>tracestate</c> and <c>baggage</c>.</summary>
    internal Headers WithoutTrace() => Array.Exists(_entries, e => TraceContext.Owns(e.Key))
        ? new(Array.FindAll(_entries, e => !TraceContext.Owns(e.Key)))
        : this;

    /// <summary>Adds what the bus itself says, beyond the limits of the application.</summary>
    internal Headers WithTrusted(string name, string value)
    {
        var at = IndexOf(name);
        var entries = new KeyValuePair<string, string>[at < 0 ? _entries.Length + 1 : _entries.Length];
        _entries.CopyTo(entries, 0);
        entries[at < 0 ? ^1 : at] = new(name, value);
        return new(entries);
    }

    /// <inheritdoc/>
    public IEnumerator<KeyValuePair<string, string>> GetEnumerator() => _entries.AsEnumerable().GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    private int IndexOf(string name)
    {
        for (var i = 0; i < _entries.Length; i++)
        {
            if (string.Equals(_entries[i].Key, name, StringComparison.OrdinalIgnoreCase))
            {
                return i;
            }
        }

        return -1;
    }

    private static void Check(string name, string value)
    {
        if (!IsName(name))
        {
            throw new ArgumentException(
                $"'{name}' is not a header name: 1 to 64 letters, digits, '-', '_' or '.' are allowed.", nameof(name));
        }

        if (value.Any(char.IsControl))
        {
            throw new ArgumentException(
                $"The value of header '{name}' contains a control character; put such data into the body.", nameof(value));
        }
    }

    private static bool IsOwn(string name) => TraceContext.Owns(name) || IsMark(name);

    private static bool IsMark(string name) =>
        name.Equals(ReplayOf, StringComparison.OrdinalIgnoreCase) || name.Equals(AboutReport, StringComparison.OrdinalIgnoreCase);

    private static bool IsName(string name) =>
        name.Length is > 0 and <= 64 && name.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.');

    private static void CheckSize(KeyValuePair<string, string>[] entries)
    {
        var (count, characters) = (0, 0);
        foreach (var (name, value) in entries)
        {
            if (!IsOwn(name))
            {
                count++;
                characters += name.Length + value.Length;
            }
        }

        if (count > MaxCount || characters > MaxCharacters)
        {
            throw new ArgumentException(
                $"A message carries at most {MaxCount} headers of {MaxCharacters} characters in all; " +
                $"these are {count} of {characters}. Put the data into the body.");
        }
    }
}
