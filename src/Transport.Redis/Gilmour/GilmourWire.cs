using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text.Json;
using StackExchange.Redis;

namespace ServiceMesh.Redis;

/// <summary>
/// The wire of the public Go and Ruby implementations of Gilmour: JSON envelopes
/// <c>{"data": …, "code": …, "sender": "…"}</c>. What they do not know (headers, remaining time, the not-processed mark)
/// rides along as members that they ignore.
/// </summary>
internal static class GilmourWire
{
    public const string Requests = "gilmour.request.";
    public const string Signals = "gilmour.slot.";
    public const string Replies = "gilmour.response.";

    // Reports have a channel and a format of their own.
    private static readonly Topic s_errors = MeshTopics.Errors.Topic;

    public static string NoticeChannel => "gilmour.mesh.notice";

    public static string RequestChannel(Topic topic) => Own(topic.ToString()) ?? Requests + topic;

    /// <summary>The channels or patterns on which a subscriber hears: two for error reports, otherwise one.</summary>
    public static IReadOnlyList<string> SignalChannels(TopicPattern pattern) =>
        pattern.ToString() == s_errors.ToString() ? GilmourNames.ErrorChannels : [Own(pattern.ToString()) ?? Signals + pattern];

    /// <summary>The channel to which a signal is published.</summary>
    /// <param name="topic">The topic.</param>
    /// <param name="errorChannel">That of error reports.</param>
    public static string SignalChannel(Topic topic, string errorChannel) =>
        topic == s_errors ? errorChannel : Own(topic.ToString()) ?? Signals + topic;

    public static string ReplySubscription(string nodeId) => $"{Replies}{nodeId}.*";

    public static string ReplyChannel(MessageId request) => Replies + request;

    // Theirs: the sender and the group's name with nothing between.
    public static string ClaimKey(MessageId message, string group) => message.Number < 0
        ? message.Node + group
        : string.Create(CultureInfo.InvariantCulture, $"{message.Node}.{message.Number}{group}");

    public static bool TryReadTopic(string channel, MessageKind kind, out Topic topic)
    {
        if (kind == MessageKind.Signal && GilmourNames.ErrorChannels.Contains(channel))
        {
            topic = s_errors;
            return true;
        }

        var start = kind == MessageKind.Request ? Requests : Signals;
        return Topic.TryParse(channel.StartsWith(start, StringComparison.Ordinal) ? channel[start.Length..] : channel, out topic);
    }

    public static string? ValidateBody(Message message) => message.ContentType == "application/json" && !message.Body.IsEmpty
        ? null
        : $"The Gilmour wire carries JSON, and this body is {(message.Body.IsEmpty ? "empty" : message.ContentType)}. "
          + "Use the Native wire or the Json serializer.";

    public static byte[] Write(Message message) => message.Topic == s_errors
        ? GilmourReport.Write(message.Body, message.Id.ToString(), message.Headers)
        : GilmourEnvelope.Write(message.Body, 0, message.Id.ToString(), message, static (json, message) =>
        {
            if (message.Deadline.RemainingMilliseconds is { } left)
            {
                json.WriteNumber("remaining_ms", Math.Max(left, 1));
            }

            WriteHeaders(json, message.Headers);
        });

    public static bool TryReadMessage(
        MessageKind kind, Topic topic, ReadOnlyMemory<byte> frame,
        TimeProvider clock, [NotNullWhen(true)] out Message? message, [NotNullWhen(false)] out string? error)
    {
        message = null;
        if (topic == s_errors)
        {
            return TryReadReport(frame, clock, out message, out error);
        }

        if (!GilmourEnvelope.TryRead(frame, out var envelope, out error))
        {
            return false;
        }

        if (!Headers.TryRead(envelope.Headers, out var headers))
        {
            error = "The envelope's headers are outside the limits.";
            return false;
        }

        message = new()
        {
            Id = IdOf(envelope),
            Kind = kind,
            Topic = topic,
            Headers = headers,
            ContentType = "application/json",
            Body = envelope.Data,
            Deadline = envelope.RemainingMilliseconds is > 0 and <= uint.MaxValue
                ? Deadline.After(TimeSpan.FromMilliseconds(envelope.RemainingMilliseconds), clock)
                : Deadline.None,
        };
        return true;
    }

    /// <summary>The name of a request that is too large to be read, when it stands at one end of the frame.</summary>
    public static bool TryFindSender(ReadOnlyMemory<byte> frame, out MessageId request)
    {
        var isFound = GilmourEnvelope.TryReadEnds(frame, out var ends);
        request = isFound ? IdOf(ends!) : default;
        return isFound;
    }

    private static bool TryReadReport(
        ReadOnlyMemory<byte> frame, TimeProvider clock, [NotNullWhen(true)] out Message? message, [NotNullWhen(false)] out string? error)
    {
        message = null;
        if (!GilmourReport.TryRead(frame, clock.GetUtcNow(), out var report, out error))
        {
            return false;
        }

        if (!Headers.TryRead(report.Headers, out var headers))
        {
            error = "The report's headers are outside the limits.";
            return false;
        }

        message = new()
        {
            Id = report.IsMarked ? OwnId(report.Id) : new(report.Id, -1),
            Kind = MessageKind.Signal,
            Topic = s_errors,
            Headers = headers,
            ContentType = "application/json",
            Body = report.Body,
        };
        return true;
    }

    public static bool CountsRefusals(MessageId request) => request.Number >= 0;

    public static byte[] Write(MessageId request, Answer answer)
    {
        var reply = answer.Reply;
        // Theirs: a failure's data is what the caller sees, so the sentence goes there when there is no other.
        var data = reply.Body.IsEmpty && reply.Error is not null
            ? JsonSerializer.SerializeToUtf8Bytes(reply.Error, RedisJson.Default.String)
            : reply.Body;
        return GilmourEnvelope.Write(data, (int)reply.Status, ReplyChannel(request), answer, static (json, answer) =>
        {
            var reply = answer.Reply;
            if (reply.Error is not null)
            {
                json.WriteString("error", reply.Error);
                json.WriteBoolean("has_value", !reply.Body.IsEmpty);
            }

            if (reply.NotProcessed)
            {
                json.WriteBoolean("not_processed", true);
            }

            if (reply.IsOfHandler)
            {
                json.WriteBoolean("of_handler", true);
            }

            if (answer.RefusedGroups is { } refused)
            {
                json.WriteStartArray("refused_groups");
                foreach (var group in refused)
                {
                    json.WriteStringValue(group);
                }

                json.WriteEndArray();
            }

            WriteHeaders(json, reply.Headers);
        });
    }

    public static bool TryReadAnswer(
        RedisChannel channel, ReadOnlyMemory<byte> frame, out long request,
        [NotNullWhen(true)] out Answer? answer, [NotNullWhen(false)] out string? error)
    {
        answer = null;
        // We chose the name of this channel, so it is ours, whichever node answers.
        request = OwnId(channel!).Number;
        if (request < 0)
        {
            error = "The reply's channel does not end in the number of a request.";
            return false;
        }

        if (!GilmourEnvelope.TryRead(frame, out var envelope, out error))
        {
            return false;
        }

        if (!Headers.TryRead(envelope.Headers, out var headers))
        {
            error = "The envelope's headers are outside the limits.";
            return false;
        }

        if (envelope.Code != 0 && !StatusRange.Contains(envelope.Code))
        {
            error = $"The reply has the code {envelope.Code}; {StatusRange.Min} to {StatusRange.Max} are allowed.";
            return false;
        }

        var status = envelope.Code == 0 ? StatusCode.Ok : (StatusCode)envelope.Code;
        var isForeignFailure = status.IsFailure && envelope.Error is null;
        answer = new(
            new()
            {
                Status = status,
                Error = isForeignFailure ? Sentence(envelope.Data) : envelope.Error,
                NotProcessed = envelope.NotProcessed,
                IsForeign = !envelope.IsMarked,

                // In theirs only a handler, or what stands around it, gives a status.
                IsOfHandler = envelope.IsOfHandler || isForeignFailure,
                Headers = headers,
                ContentType = "application/json",
                Body = envelope.Error is not null && !envelope.HasValue ? default : envelope.Data,
            },
            envelope.RefusedGroups);
        return true;
    }

    public static bool TryReadRequestNumber(string channel, ReadOnlyMemory<byte> frame, out long request)
    {
        request = OwnId(channel!).Number;
        return request >= 0;
    }

    // Our own: the other implementations do not listen here.
    public static byte[] Write(Notice notice) => notice.Cancelled is { } request
        ? GilmourEnvelope.Write(default, 0, request.ToString())
        : GilmourEnvelope.Write(
            JsonSerializer.SerializeToUtf8Bytes(
                [.. notice.Departed.Select(d => new[] { d.Topic, d.Group })], RedisJson.Default.StringArrayArray),
            0, "");

    public static bool TryReadNotice(ReadOnlyMemory<byte> frame, [NotNullWhen(true)] out Notice? notice)
    {
        notice = null;
        if (!GilmourEnvelope.TryRead(frame, out var envelope, out _))
        {
            return false;
        }

        if (envelope.Sender.Length > 0)
        {
            notice = Notice.Cancel(OwnId(envelope.Sender));
            return true;
        }

        try
        {
            var departed = JsonSerializer.Deserialize(envelope.Data.Span, RedisJson.Default.StringArrayArray);
            notice = new(null, [.. (departed ?? []).Where(d => d is { Length: 2 }).Select(d => (d[0], d[1]))]);
            return true;
        }
        catch (JsonException)
        {
            return false;
        }
    }

    /// <summary>A topic that already begins with <c>gilmour.</c> is used as it stands.</summary>
    private static string? Own(string name) => name.StartsWith("gilmour.", StringComparison.Ordinal) ? name : null;

    // A foreign sender may well look like one of ours: without the mark all of it is the name. A payload of no implementation
    // may have none: members of a group cannot tell that they mean the same one, and rather all handle it than none.
    private static MessageId IdOf(GilmourEnvelope envelope) =>
        envelope.Sender.Length == 0 ? new($"nameless-{Guid.NewGuid():N}", -1)
        : envelope.IsMarked ? OwnId(envelope.Sender)
        : new(envelope.Sender, -1);

    // Ours end in a number after the last dot; of any other the whole is the name.
    private static MessageId OwnId(string sender)
    {
        var name = sender.StartsWith(Replies, StringComparison.Ordinal) ? sender[Replies.Length..] : sender;
        var dot = name.LastIndexOf('.');
        // A number written differently than we would write it back would not be the same key.
        return dot > 0
            && name.AsSpan(dot + 1) is { Length: > 0 and < 19 } digits
            && !digits.ContainsAnyExceptInRange('0', '9')
            && (digits[0] != '0' || digits.Length == 1)
            ? new(name[..dot], long.Parse(digits, System.Globalization.CultureInfo.InvariantCulture))
            : new(name, -1);
    }

    private static void WriteHeaders(Utf8JsonWriter json, Headers headers)
    {
        if (headers.Count == 0)
        {
            return;
        }

        json.WriteStartObject("headers");
        foreach (var (name, value) in headers)
        {
            json.WriteString(name, value);
        }

        json.WriteEndObject();
    }

    private static string Sentence(ReadOnlyMemory<byte> data)
    {
        var reader = new Utf8JsonReader(data.Span);
        return reader.Read() && reader.TokenType == JsonTokenType.String ? reader.GetString()! : "The handler failed.";
    }
}
