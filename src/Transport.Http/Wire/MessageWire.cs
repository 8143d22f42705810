using System.Diagnostics.CodeAnalysis;
using System.Globalization;

namespace ServiceMesh.Http;

/// <summary>
/// A message as HTTP headers and back. The body travels as it is; its media type is HTTP's own <c>Content-Type</c>, and
/// the topic is in the path. Pure.
/// </summary>
internal static class MessageWire
{
    /// <summary>The longest name of a message that is accepted: node ids are shorter than topics.</summary>
    private const int LongestId = 300;

    private static long s_nameless;

    public static string PathOf(MessageKind kind, Topic topic) =>
        $"/mesh/v1/{(kind == MessageKind.Request ? "request" : "signal")}/{topic}";

    /// <summary>Everything but the content type, the topic and the body. The deadline is what is left of it now.</summary>
    /// <param name="message">What is sent.</param>
    /// <param name="to">Where the headers go.</param>
    /// <param name="add">Adds one there; without a closure, since this is done for every message.</param>
    public static void Write<T>(Message message, T to, Action<T, string, string> add)
    {
        add(to, MeshHeader.Id, HeaderText.Encode(message.Id.ToString()));
        if (message.Deadline.RemainingMilliseconds is { } left)
        {
            add(to, MeshHeader.Timeout, left.ToString(CultureInfo.InvariantCulture));
        }

        Write(message.Headers, to, add);
    }

    /// <summary>Headers of a message or a reply, each under a name of its own.</summary>
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

    /// <summary>Whether a header of a message is the wire's affair; all others are between HTTP's own parties.</summary>
    public static bool Reads(string name) => name.StartsWith("mesh-", StringComparison.OrdinalIgnoreCase) || MeshHeader.IsCommon(name);

    /// <summary>
    /// Reads what arrived for a topic. The body is added by whoever has read it; when it is no message, the error says what
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
                error = value.Length is 0 or > LongestId ? $"{MeshHeader.Id} has {value.Length} characters; 1 to {LongestId} are allowed." : error;
            }
            else if (name.Equals(MeshHeader.Timeout, StringComparison.OrdinalIgnoreCase))
            {
                var isNumber = long.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var left);
                error = isNumber ? error : $"{MeshHeader.Timeout} is '{Cut(value)}'; a whole number of milliseconds is allowed.";
                deadline = isNumber && kind == MessageKind.Request ? Deadline.After(TimeSpan.FromMilliseconds(Math.Min(left, (long)TimeSpan.FromDays(1).TotalMilliseconds)), clock) : deadline;
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
            // What curl -d says when nobody tells it otherwise; the configured serializer reads it.
            ContentType = contentType is null or "application/x-www-form-urlencoded" ? "" : contentType,
        };
        return true;
    }

    /// <summary>A header of the message itself; null for one that is HTTP's or the wire's.</summary>
    public static (string Name, string Value)? TryReadOwn(string name, string value) =>
        name.StartsWith(MeshHeader.OfMessage, StringComparison.OrdinalIgnoreCase) ? (name[MeshHeader.OfMessage.Length..], HeaderText.Decode(value))
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
