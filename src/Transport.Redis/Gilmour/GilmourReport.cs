using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json;
using System.Text;

namespace ServiceMesh.Redis;

/// <summary>
/// An error report as the Gilmour implementations publish and queue it: <c>{"topic", "request_data", "user_data", "sender",
/// "multi_process", "timestamp", "backtrace", "code"}</c>. Ours carries the mark of <see cref="GilmourEnvelope"/> and, as
/// <c>data</c>, all of <see cref="ErrorReport"/>: nothing is lost between two of ours, and a foreign subscriber, who is
/// given the data only, has it too.
/// </summary>
internal sealed class GilmourReport
{
    private const string Unknown = "unknown";

    /// <summary>The <see cref="ErrorReport"/> as JSON; of ours the bytes that its sender wrote.</summary>
    public required ReadOnlyMemory<byte> Body { get; init; }

    /// <summary>What names the message; of a foreign one a hash of all that it says.</summary>
    public required string Id { get; init; }

    /// <summary>Whether the mark is there.</summary>
    public required bool IsMarked { get; init; }

    public List<(string Name, string Value)> Headers { get; } = [];

    /// <summary>Writes a report that is JSON already.</summary>
    /// <param name="body">An <see cref="ErrorReport"/>. When its members have other names, what the others read is less.</param>
    /// <param name="id">The id of the signal that carries it; null in the queue.</param>
    /// <param name="headers">The headers of that signal.</param>
    public static byte[] Write(ReadOnlyMemory<byte> body, string? id, Headers headers)
    {
        var report = NativeReports.Parse(body.Span);
        var output = new ArrayBufferWriter<byte>((2 * body.Length) + 256);
        using var json = new Utf8JsonWriter(output, new JsonWriterOptions { SkipValidation = true });
        json.WriteStartObject();
        json.WriteString("topic", report?.Topic ?? Unknown);
        json.WriteString("request_data", report?.Data ?? "");
        json.WriteString("user_data", report?.Error ?? "");
        json.WriteString("sender", report?.MessageId ?? "");
        json.WriteBoolean("multi_process", false);
        json.WriteString("timestamp", report?.Time ?? DateTimeOffset.UnixEpoch);
        json.WriteString("backtrace", report?.Exception ?? "");
        json.WriteNumber("code", report?.Status ?? (int)StatusCode.HandlerFailed);
        json.WriteNumber("mesh", 1);
        if (id is not null)
        {
            json.WriteString("id", id);
        }

        if (headers.Count > 0)
        {
            json.WriteStartObject("headers");
            foreach (var (name, value) in headers)
            {
                json.WriteString(name, value);
            }

            json.WriteEndObject();
        }

        json.WritePropertyName("data");
        json.WriteRawValue(body.Span, skipInputValidation: true);
        json.WriteEndObject();
        json.Flush();
        return output.WrittenSpan.ToArray();
    }

    /// <summary>Reads one of ours or of theirs. Go sends the report as it stands, Ruby as the data of an envelope.</summary>
    public static bool TryRead(
        ReadOnlyMemory<byte> frame, DateTimeOffset now, [NotNullWhen(true)] out GilmourReport? read, [NotNullWhen(false)] out string? error)
    {
        read = null;
        error = null;
        try
        {
            using var document = JsonDocument.Parse(frame);
            var root = document.RootElement;
            if (root.ValueKind == JsonValueKind.Object)
            {
                read = ReadMarked(root) ?? ReadForeign(root, frame.Span, now);
            }
        }
        catch (Exception failure) when (failure is JsonException or InvalidOperationException)
        {
            error = $"The payload is not an error report: {failure.Message}";
            return false;
        }

        error = read is null ? "The payload is not an error report: it has neither a topic nor a code nor a backtrace." : null;
        return read is not null;
    }

    private static GilmourReport? ReadMarked(JsonElement root)
    {
        if (!root.TryGetProperty("mesh", out var mark) || mark.ValueKind != JsonValueKind.Number
            || !mark.TryGetInt32(out var version)
            || version != 1
            || !root.TryGetProperty("data", out var data))
        {
            return null;
        }

        var read = new GilmourReport { Body = Encoding.UTF8.GetBytes(data.GetRawText()), Id = Text(root, "id"), IsMarked = true };
        if (root.TryGetProperty("headers", out var headers) && headers.ValueKind == JsonValueKind.Object)
        {
            read.Headers.AddRange(headers.EnumerateObject()
                .Where(h => h.Value.ValueKind == JsonValueKind.String)
                .Select(h => (h.Name, h.Value.GetString()!)));
        }

        return read;
    }

    private static GilmourReport? ReadForeign(JsonElement root, ReadOnlySpan<byte> frame, DateTimeOffset now)
    {
        var report = !IsReport(root) && root.TryGetProperty("data", out var data) && data.ValueKind == JsonValueKind.Object ? data : root;
        if (!IsReport(report) && !(report.ValueKind == JsonValueKind.Object && report.TryGetProperty("backtrace", out _)))
        {
            return null;
        }

        return new()
        {
            Body = JsonSerializer.SerializeToUtf8Bytes(Translate(report, now), RedisJson.Default.ErrorReport),
            // The sender names the failed request, which may fail in two groups: so the id is made from the whole report.
            Id = $"report-{Convert.ToHexStringLower(SHA256.HashData(frame)[..8])}",
            IsMarked = false,
        };
    }

    /// <summary>A queue entry that is not a report, as one: the text is its data.</summary>
    public static ErrorReport OfText(ReadOnlySpan<byte> entry, DateTimeOffset now)
    {
        var (data, encoding) = ErrorReport.Excerpt(entry, entry.Length);
        return new()
        {
            Topic = Unknown,
            Status = (int)StatusCode.HandlerFailed,
            Error = "The queue has an entry that is not a report in JSON. Its text is the data.",
            MessageId = Unknown,
            Sender = Unknown,
            Node = Unknown,
            Time = now,
            Data = data,
            DataEncoding = encoding,
            DataBytes = entry.Length,
        };
    }

    private static bool IsReport(JsonElement element) => element.TryGetProperty("topic", out _);

    private static ErrorReport Translate(JsonElement report, DateTimeOffset now)
    {
        var said = Sort(report);
        var code = report.TryGetProperty("code", out var number)
            && number.ValueKind == JsonValueKind.Number
            && number.TryGetInt32(out var given) && given != 0
            ? given : (int)StatusCode.HandlerFailed;
        var trace = Lines(report, "backtrace");
        var error = FirstOf(said.Error, trace.Split('\n')[0], $"A Gilmour node reported {code}.");
        return new()
        {
            Topic = FirstOf(said.Topic, Unknown),
            Kind = said.Kind,
            Status = code,
            Error = ExceptionText.Cut(error, ReplyMessage.MaxErrorCharacters),
            MessageId = FirstOf(said.MessageId, Unknown),
            Sender = FirstOf(said.MessageId, Unknown),
            Node = Unknown,
            Time = Moment(Text(report, "timestamp")) ?? now,
            // The wire carries JSON only; other text is a part of it, or says something about it.
            ContentType = IsJson(said.Data) ? "application/json" : "",
            Data = said.Data,
            DataBytes = Encoding.UTF8.GetByteCount(said.Data),
            // Ruby writes the reply of a failure here: a sentence, which is the error already.
            Exception = trace.Length == 0 || trace == error ? null : trace,
        };
    }

    // Go writes its reports with the members in the wrong places; the sender, which begins with a channel's name, tells.
    private static Said Sort(JsonElement report)
    {
        var (topic, sender) = (Text(report, "topic"), Text(report, "sender"));
        if (sender.StartsWith(GilmourWire.Replies, StringComparison.Ordinal))
        {
            return new("", MessageKind.Request, DataOfReply(topic), sender[GilmourWire.Replies.Length..], Text(report, "request_data"));
        }

        if (sender.StartsWith(GilmourWire.Signals, StringComparison.Ordinal))
        {
            return new(sender[GilmourWire.Signals.Length..], MessageKind.Signal, "", Text(report, "user_data"), topic);
        }

        var (name, kind) = Name(topic);
        // Ruby spells the member without the underscore.
        var error = FirstOf(Text(report, "user_data"), Text(report, "userdata"));
        return new(name, kind, error, sender, Text(report, "request_data"));
    }

    // What the failed handler said, out of the whole reply as JSON.
    private static string DataOfReply(string reply)
    {
        try
        {
            using var document = JsonDocument.Parse(reply);
            return document.RootElement is { ValueKind: JsonValueKind.Object } root && root.TryGetProperty("data", out var data)
                ? Text(data) : reply;
        }
        catch (JsonException)
        {
            return reply;
        }
    }

    private static bool IsJson(string text)
    {
        try
        {
            using var document = JsonDocument.Parse(text);
            return true;
        }
        catch (JsonException)
        {
            return false;
        }
    }

    // Gilmour reports channels; operators of ServiceMesh know topics.
    private static (string Topic, MessageKind? Kind) Name(string channel) =>
        channel.StartsWith(GilmourWire.Requests, StringComparison.Ordinal) ? (channel[GilmourWire.Requests.Length..], MessageKind.Request)
        : channel.StartsWith(GilmourWire.Signals, StringComparison.Ordinal) ? (channel[GilmourWire.Signals.Length..], MessageKind.Signal)
        : (channel, null);

    // Ruby's JSON of a time ends with the name of the zone, which RFC 3339 does not allow.
    private static DateTimeOffset? Moment(string text) => DateTimeOffset.TryParse(
        text.EndsWith(" UTC", StringComparison.Ordinal) ? text[..^4] + "Z" : text,
        CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var moment)
        ? moment : null;

    private static string FirstOf(params ReadOnlySpan<string> texts)
    {
        foreach (var text in texts)
        {
            if (text.Length > 0 && text != "{}")
            {
                return text;
            }
        }

        return "";
    }

    // Any JSON as text; for a string its value.
    private static string Text(JsonElement element, string name) => element.TryGetProperty(name, out var value) ? Text(value) : "";

    private static string Text(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Null => "",
        JsonValueKind.String => value.GetString()!,
        _ => value.GetRawText(),
    };

    // Ruby sends a list of lines where Go sends one text.
    private static string Lines(JsonElement element, string name) =>
        element.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.Array
            ? string.Join('\n', value.EnumerateArray().Select(Text))
            : Text(element, name);

    /// <summary>The members of a foreign report in their places; empty where one is not known.</summary>
    private readonly record struct Said(string Topic, MessageKind? Kind, string Error, string MessageId, string Data);
}
