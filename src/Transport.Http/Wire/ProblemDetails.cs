using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;
using Microsoft.AspNetCore.WebUtilities;

namespace ServiceMesh.Http;

/// <summary>Failures as problem details (RFC 9457): JSON that any client can show.</summary>
internal static class ProblemDetails
{
    public const string ContentType = "application/problem+json";

    // Users of curl read it, and its content type prevents browsers from treating it as a page, so quotes need no escapes.
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

    /// <summary>For callers that are not part of the mesh.</summary>
    public static byte[] Write(int status, string title, string detail, string traceId)
    {
        var buffer = new ArrayBufferWriter<byte>(256);
        using (var json = new Utf8JsonWriter(buffer, s_readable))
        {
            json.WriteStartObject();
            json.WriteString("type", "about:blank");
            json.WriteString("title", title);
            json.WriteNumber("status", status);
            json.WriteString("detail", detail);
            json.WriteString("traceId", traceId);
            json.WriteEndObject();
        }

        return buffer.WrittenSpan.ToArray();
    }

    /// <summary>The detail, or the title if there is no detail; null if the body is not problem details.</summary>
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
