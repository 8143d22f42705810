using System.Globalization;

namespace ServiceMesh.Http;

/// <summary>
/// A message as HTTP headers and back. The body travels unchanged; its media type is the <c>Content-Type</c> of HTTP, and the topic is in
/// the path. Pure.
/// </summary>
internal static class MessageWire
{
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

    /// <summary>A header of the message itself; null for a header of HTTP or of the wire.</summary>
    public static (string Name, string Value)? TryReadOwn(string name, string value) =>
        name.StartsWith(MeshHeader.OfMessage, StringComparison.OrdinalIgnoreCase)
            ? (name[MeshHeader.OfMessage.Length..], HeaderText.Decode(value))
        : MeshHeader.IsCommon(name) ? (name, value)
        : null;
}
