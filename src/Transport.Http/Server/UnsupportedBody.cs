using Microsoft.AspNetCore.Http;
using Microsoft.Net.Http.Headers;

namespace ServiceMesh.Http;

/// <summary>Recognizes bodies that a node does not read, by their headers and before they are read. Pure.</summary>
internal static class UnsupportedBody
{
    private const int MaxShown = 32;

    /// <summary>Why the node does not read the body of a request, and what to send; null if it reads it.</summary>
    public static string? ReasonOf(HttpRequest request)
    {
        var encoding = request.Headers.ContentEncoding.ToString();
        if (encoding.Length > 0 && !encoding.Equals("identity", StringComparison.OrdinalIgnoreCase))
        {
            return $"The body is encoded as '{Cut(encoding)}' (Content-Encoding). Send it without an encoding.";
        }

        return request.ContentType?.Contains("charset", StringComparison.OrdinalIgnoreCase) == true
            && MediaTypeHeaderValue.TryParse(request.ContentType, out var type) && type.Charset is { Length: > 0 } charset
            && HeaderUtilities.RemoveQuotes(charset).ToString() is var name && !IsUtf8(name)
            ? $"The body is text in '{Cut(name)}' (charset of Content-Type). Send it in UTF-8."
            : null;
    }

    // ASCII is a part of UTF-8.
    private static bool IsUtf8(string charset) =>
        charset.Equals("utf-8", StringComparison.OrdinalIgnoreCase) || charset.Equals("utf8", StringComparison.OrdinalIgnoreCase)
        || charset.Equals("us-ascii", StringComparison.OrdinalIgnoreCase);

    // The value may be long and may come from anyone.
    private static string Cut(string text) => text.Length <= MaxShown ? text : text[..MaxShown] + "…";
}
