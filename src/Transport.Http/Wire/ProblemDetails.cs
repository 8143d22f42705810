using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;
using Microsoft.AspNetCore.WebUtilities;

namespace ServiceMesh.Http;

/// <summary>Failures as RFC 9457 describes them: JSON that any client can show.</summary>
internal static class ProblemDetails
{
    public const string ContentType = "application/problem+json";

    // It is shown to people who call by curl, and by its content type never taken for a page: quotes may stay quotes.
    private static readonly JsonWriterOptions s_readable = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static byte[] Write(int status, string detail, string topic, bool notProcessed)
    {
        var buffer = new ArrayBufferWriter<byte>(256);
        using (var json = new Utf8JsonWriter(buffer, s_readable))
        {
            json.WriteStartObject();
            json.WriteString("type", "about:blank");
            json.WriteString("title", status == 499 ? "Handler Timeout" : ReasonPhrases.GetReasonPhrase(status));
            json.WriteNumber("status", status);
            json.WriteString("detail", detail);
            if (topic.Length > 0)
            {
                json.WriteString("topic", topic);
            }

            json.WriteBoolean("notProcessed", notProcessed);
            json.WriteEndObject();
        }

        return buffer.WrittenSpan.ToArray();
    }

    /// <summary>The sentence in it, the title at least; null when the body is no problem details.</summary>
    public static string? ReadDetail(ReadOnlySpan<byte> body)
    {
        try
        {
            var reader = new Utf8JsonReader(body);
            if (!JsonElement.TryParseValue(ref reader, out var element) || element is not { ValueKind: JsonValueKind.Object } problem)
            {
                return null;
            }

            return TextOf(problem, "detail") ?? TextOf(problem, "title");
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private static string? TextOf(JsonElement problem, string name) =>
        problem.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;
}
