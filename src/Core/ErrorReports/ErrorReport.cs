using System.Text;
using System.Text.Json.Serialization;

namespace ServiceMesh;

/// <summary>One failure, as operators read it. Made by the node that knows most about it, once.</summary>
public sealed record ErrorReport
{
    // Generated JSON code sets what a report of an earlier version does not have to null.

    /// <summary>Names this report among all others. Empty for one that a program without such names wrote.</summary>
    public string Id { get; init => field = value ?? ""; } = "";

    /// <summary>The topic, or the description of a composition's local step.</summary>
    public required string Topic { get; init; }

    /// <summary>Whether a request or a signal failed; null for what never became a message here.</summary>
    public MessageKind? Kind { get; init; }

    /// <summary>The status, as a number.</summary>
    public required int Status { get; init; }

    /// <summary>What happened, in a sentence.</summary>
    public required string Error { get; init; }

    /// <summary>The message's id.</summary>
    public required string MessageId { get; init; }

    /// <summary>The id of the node that sent the message.</summary>
    public required string Sender { get; init; }

    /// <summary>The id of the node that reports.</summary>
    public required string Node { get; init; }

    /// <summary>The group that handled it; null when none did.</summary>
    public string? Group { get; init; }

    /// <summary>When it was reported.</summary>
    public required DateTimeOffset Time { get; init; }

    /// <summary>The trace that the message belongs to, 32 hexadecimal digits; null when it has none.</summary>
    public string? TraceId { get; init; }

    /// <summary>
    /// The span of the handler, or that of the sender where no span of the handler was made, 16 hexadecimal digits; null when
    /// there is none.
    /// </summary>
    public string? SpanId { get; init; }

    /// <summary>The headers of the message. Default: none.</summary>
    [JsonConverter(typeof(HeadersJsonConverter))]
    public Headers Headers { get; init => field = value ?? Headers.Empty; } = Headers.Empty;

    /// <summary>The media type of the message's body; empty where it is not known.</summary>
    public string ContentType { get; init => field = value ?? ""; } = "";

    /// <summary>
    /// The message's body: at most <c>ServiceMesh:Errors:MaxDataBytes</c> of it, or all with <c>ServiceMesh:Errors:WholeBody</c>. As
    /// text, or base64 when it is not UTF-8.
    /// </summary>
    public string Data { get; init => field = value ?? ""; } = "";

    /// <summary><c>utf-8</c> or <c>base64</c>.</summary>
    public string DataEncoding { get; init => field = value ?? "utf-8"; } = "utf-8";

    /// <summary>The size of the whole body in bytes; more than <see cref="Data"/> holds when that was cut.</summary>
    public int DataBytes { get; init; }

    /// <summary>The exception's type, message and stack; null when there was none on this node.</summary>
    public string? Exception { get; init; }

    /// <summary>The message's body as it was sent; false when the report has a part of it only.</summary>
    /// <param name="body">The bytes; empty when it returns false.</param>
    public bool TryGetBody(out byte[] body)
    {
        body = [];
        if (DataEncoding != "base64")
        {
            body = Encoding.UTF8.GetBytes(Data);
        }
        else
        {
            var bytes = new byte[Data.Length];
            if (!Convert.TryFromBase64String(Data, bytes, out var length))
            {
                return false;
            }

            body = bytes[..length];
        }

        if (body.Length == DataBytes)
        {
            return true;
        }

        body = [];
        return false;
    }

    internal static (string Data, string Encoding) Excerpt(ReadOnlySpan<byte> body, int maxBytes)
    {
        var excerpt = body.Length <= maxBytes ? body : body[..WholeCharacters(body, maxBytes)];
        return System.Text.Unicode.Utf8.IsValid(excerpt)
            ? (Encoding.UTF8.GetString(excerpt), "utf-8")
            : (Convert.ToBase64String(body[..Math.Min(body.Length, maxBytes)]), "base64");
    }

    // A cut in the middle of a character would turn text into base64: step back to where one begins.
    private static int WholeCharacters(ReadOnlySpan<byte> body, int length)
    {
        var cut = length;
        while (cut > 0 && cut > length - 4 && (body[cut] & 0xC0) == 0x80)
        {
            cut--;
        }

        return cut;
    }
}
