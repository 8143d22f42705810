using System.Text;

namespace ServiceMesh.Links;

/// <summary>
/// Finds what a reader would refuse before it is written: a frame that is skipped at the other end costs its caller the whole
/// deadline. Checks what application code can set; the rest is right by its type. Pure.
/// </summary>
internal static class FrameCheck
{
    /// <summary>Why a request or a signal cannot travel; null when it can.</summary>
    public static string? WhyUnwritable(Message message, string group) =>
        message.Id.Number < 0 ? $"The id '{message.Id}' does not end in a number. Leave the id as the bus made it."
        : message.Topic.ToString() is not { Length: > 0 } ? "The message has no topic."
        : group.Length > 0 && (group.Length > Topic.MaxLength || !Topic.IsSegment(group)) ? $"'{Printable.Line(group)}' is not a group."
        : Of(message.Headers, message.ContentType);

    /// <summary>The reply, or a failure in its place when it cannot travel: the request ends in either case.</summary>
    public static ReplyMessage Writable(ReplyMessage reply) => Of(reply.Headers, reply.ContentType) is { } why
        ? ReplyMessage.Failure(StatusCode.HandlerFailed, $"The reply cannot be sent. {why}")
        : reply;

    private static string? Of(Headers headers, string contentType) =>
        !IsContentType(contentType)
            ? $"The content type '{Printable.Line(contentType)}' is not 1 to {WireFormat.MaxContentTypeBytes} printable ASCII characters. "
                + "A serializer sets it."
            : headers.Count > 0 ? OfHeaders(headers) : null;

    private static bool IsContentType(string type) =>
        type is WireFormat.Json or WireFormat.MessagePack or ""
        || (type.Length <= WireFormat.MaxContentTypeBytes && !type.AsSpan().ContainsAnyExceptInRange(' ', '~'));

    private static string? OfHeaders(Headers headers)
    {
        var bytes = 0;
        foreach (var (name, value) in headers)
        {
            bytes += name.Length + Encoding.UTF8.GetByteCount(value) + 4;
            if (value.AsSpan().ContainsAnyInRange('\0', '\u001F') || value.AsSpan().ContainsAnyInRange('\u007F', '\u009F'))
            {
                return $"The value of header '{name}' contains a control character.";
            }
        }

        return headers.AreWithinLimits && bytes <= WireFormat.MaxFieldBytes
            ? null
            : $"There are {headers.CountOfApplication} headers with {bytes} bytes; {Headers.MaxCount} with {Headers.MaxCharacters} " +
                $"characters and {WireFormat.MaxFieldBytes} bytes are allowed.";
    }
}
