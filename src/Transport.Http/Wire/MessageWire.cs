using System.Diagnostics.CodeAnalysis;
using System.Globalization;

namespace ServiceMesh.Http;

/// <summary>
/// A message as HTTP headers and back. The body travels unchanged; its media type is the <c>Content-Type</c> of HTTP, and the topic is in
/// the path. Pure.
/// </summary>
internal static class MessageWire
{
    /// <summary>The maximum length of an id: node ids are shorter than topics.</summary>
    private const int MaxIdLength = 300;

    private static long s_nameless;

    public static string PathOf(MessageKind kind, Topic topic) =>
        $"/mesh/v1/{(kind == MessageKind.Request ? "request" : "signal")}/{topic}";

    /// <summary>Writes everything except content type, topic and body. The deadline becomes the time that is left now.</summary>
    /// <param name="message">The message.</param>
    /// <param name="to">The target of the headers.</param>
    /// <param name="add">Adds one header to the target; without a closure, because this runs for every message.</param>
    public static void Write<T>(Message message, T to, Action<T, string, string> add)
    {
        add(to, MeshHeader.Id, HeaderText.Encode(message.Id.ToString()));
        if (message.Deadline.RemainingMilliseconds is { } left)
        {
            add(to, MeshHeader.Timeout, left.ToString(CultureInfo.InvariantCulture));
        }

        Write(message.Headers, to, add);
    }

    /// <summary>Writes the headers of a message or a reply.</summary>
    public static void Write<T>(Headers headers, T to, Action<T, string, string> add)
    {
        if (headers.Count == 0)
        {
            return;
        }

        foreach (var (name, value) in headers)
        {
            if (MeshHeader.IsCommon(name) && !value.Any(c => c is < ' ' or > '~') && value.Trim() == value)
            {
                add(to, name, value);
            }
            else
            {
                add(to, MeshHeader.OfMessage + name, HeaderText.Encode(value));
            }
        }
    }

    /// <summary>Whether a header belongs to the message; all others are between HTTP clients, proxies and servers.</summary>
    public static bool Reads(string name) =>
        name.StartsWith("mesh-", StringComparison.OrdinalIgnoreCase) || MeshHeader.IsCommon(name);

    /// <summary>
    /// Reads a message that arrived for a topic; the caller adds the body. If the headers are not those of a message, the error says what
    /// is wrong and what is allowed.
    /// </summary>
    public static bool TryRead(
        MessageKind kind,
        Topic topic,
        string? contentType,
        IReadOnlyList<(string Name, string Value)> headers,
        TimeProvider clock,
        [NotNullWhen(true)] out Message? message,
        [NotNullWhen(false)] out string? error)
    {
        message = null;
        error = null;
        var id = new MessageId("nameless", Interlocked.Increment(ref s_nameless));
        var deadline = Deadline.None;
        List<(string, string)>? own = null;
        for (var i = 0; i < headers.Count; i++)
        {
            var (name, value) = headers[i];
            if (name.Equals(MeshHeader.Id, StringComparison.OrdinalIgnoreCase))
            {
                id = ReadId(HeaderText.Decode(value));
                error = value.Length is 0 or > MaxIdLength
                    ? $"{MeshHeader.Id} has {value.Length} characters; 1 to {MaxIdLength} are allowed."
                    : error;
            }
            else if (name.Equals(MeshHeader.Timeout, StringComparison.OrdinalIgnoreCase))
            {
                var isNumber = long.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var left);
                error = isNumber ? error : $"{MeshHeader.Timeout} is '{Cut(value)}'; a whole number of milliseconds is allowed.";
                var time = TimeSpan.FromMilliseconds(Math.Min(left, (long)TimeSpan.FromDays(1).TotalMilliseconds));
                deadline = isNumber && kind == MessageKind.Request ? Deadline.After(time, clock) : deadline;
            }
            else if (TryReadOwn(name, value) is { } header)
            {
                (own ??= []).Add(header);
            }
        }

        var read = Headers.Empty;
        if (own is not null && !Headers.TryRead(own, out read))
        {
            error ??= $"A header of the message ({MeshHeader.OfMessage}…) is outside the limits: at most {Headers.MaxCount}, " +
                "names of 1 to 64 letters, digits, '-', '_' or '.', values without control characters.";
        }

        if (error is not null)
        {
            return false;
        }

        message = new Message
        {
            Id = id,
            Kind = kind,
            Topic = topic,
            Headers = read!,
            Deadline = deadline,
            // The default of curl -d; the configured serializer reads the body then.
            ContentType = contentType is null or "application/x-www-form-urlencoded" ? "" : contentType,
        };
        return true;
    }

    /// <summary>A header of the message itself; null for a header of HTTP or of the wire.</summary>
    public static (string Name, string Value)? TryReadOwn(string name, string value) =>
        name.StartsWith(MeshHeader.OfMessage, StringComparison.OrdinalIgnoreCase)
            ? (name[MeshHeader.OfMessage.Length..], HeaderText.Decode(value))
        : MeshHeader.IsCommon(name) ? (name, value)
        : null;

    private static MessageId ReadId(string text)
    {
        var dot = text.LastIndexOf('.');
        return dot > 0 && long.TryParse(text.AsSpan(dot + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var number)
            ? new(text[..dot], number)
            : new(text, -1);
    }

    private static string Cut(string text) => text.Length <= 32 ? text : text[..32] + "…";
}
