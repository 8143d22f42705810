using System.Diagnostics.CodeAnalysis;
using System.Text.Json;

namespace ServiceMesh.Redis;

/// <summary>
/// The JSON object around every Gilmour message: <c>{"data": …, "code": …, "sender": "…"}</c>. Ours carries the mark
/// <c>"mesh": 1</c> and more members, which the other implementations ignore; only beside the mark are they read, so that a
/// foreign member of the same name is never taken for ours.
/// </summary>
internal sealed class GilmourEnvelope
{
    private const int Mark = 1;

    // How far from its ends a frame that is too large is looked at.
    private const int Reach = 1024;

    private static readonly byte[] s_null = "null"u8.ToArray();
    private static readonly JsonEncodedText s_data = JsonEncodedText.Encode("data");
    private static readonly JsonEncodedText s_code = JsonEncodedText.Encode("code");
    private static readonly JsonEncodedText s_sender = JsonEncodedText.Encode("sender");
    private static readonly JsonEncodedText s_mesh = JsonEncodedText.Encode("mesh");

    private List<(string Name, string Value)>? _headers;

    /// <summary>The bytes of the data as they arrived; JSON's null when there is none.</summary>
    public ReadOnlyMemory<byte> Data { get; private set; } = s_null;

    /// <summary>0 for none, which means 200.</summary>
    public int Code { get; private set; }

    public string Sender { get; private set; } = "";

    /// <summary>Whether the mark is there: the sender understands what is below, and ends in a number.</summary>
    public bool IsMarked { get; private set; }

    public string? Error { get; private set; }

    /// <summary>Of a failure: whether the data is a value beside <see cref="Error"/> and not the same sentence again.</summary>
    public bool HasValue { get; private set; }

    public bool NotProcessed { get; private set; }

    public bool IsOfHandler { get; private set; }

    /// <summary>0 for no deadline.</summary>
    public long RemainingMilliseconds { get; private set; }

    /// <summary>Of a refusal: the groups that a node refuses for; null for a reply.</summary>
    public List<string>? RefusedGroups { get; private set; }

    public IReadOnlyList<(string Name, string Value)> Headers => _headers ?? (IReadOnlyList<(string Name, string Value)>)[];

    /// <summary>Writes one with the mark. Empty data is written as null.</summary>
    /// <param name="data">JSON that is valid already.</param>
    /// <param name="code">The status; 0 for a request or a signal.</param>
    /// <param name="sender">What names the message.</param>
    public static byte[] Write(ReadOnlyMemory<byte> data, int code, string sender) =>
        Write<object?>(data, code, sender, null, static (_, _) => { });

    /// <summary>The same with more members.</summary>
    /// <param name="data">JSON that is valid already.</param>
    /// <param name="code">The status; 0 for a request or a signal.</param>
    /// <param name="sender">What names the message.</param>
    /// <param name="about">What <paramref name="more"/> is given.</param>
    /// <param name="more">Writes the members that only we know.</param>
    public static byte[] Write<T>(ReadOnlyMemory<byte> data, int code, string sender, T about, Action<Utf8JsonWriter, T> more)
    {
        var output = Scratch.Take();
        var json = Scratch.JsonInto(output);
        json.WriteStartObject();
        json.WritePropertyName(s_data);
        json.WriteRawValue(data.IsEmpty ? s_null : data.Span, skipInputValidation: true);
        json.WriteNumber(s_code, code);
        json.WriteString(s_sender, sender);
        json.WriteNumber(s_mesh, Mark);
        more(json, about);
        json.WriteEndObject();
        json.Flush();
        return Scratch.Return(output);
    }

    /// <summary>The members are read by hand, so that the data stays the bytes that arrived.</summary>
    public static bool TryRead(
        ReadOnlyMemory<byte> frame, [NotNullWhen(true)] out GilmourEnvelope? envelope, [NotNullWhen(false)] out string? error)
    {
        envelope = null;
        try
        {
            var json = new Utf8JsonReader(frame.Span);
            var read = new GilmourEnvelope();
            if (!read.TryReadMembers(ref json, frame))
            {
                // As in Ruby: a payload without an envelope is taken as the data.
                read = new() { Data = frame };
            }

            error = json.Read() ? "Something follows the payload." : null;
            envelope = error is null ? read : null;
            return error is null;
        }
        catch (Exception failure) when (failure is JsonException or InvalidOperationException or FormatException)
        {
            error = $"The payload is not a Gilmour envelope: {failure.Message}";
            return false;
        }
    }

    /// <summary>
    /// Reads what stands at the ends of a frame that is too large to be read: Java writes the sender as the first member, Go and Ruby
    /// as the last one, and ours only short members behind it. False when no sender is found.
    /// </summary>
    public static bool TryReadEnds(ReadOnlyMemory<byte> frame, [NotNullWhen(true)] out GilmourEnvelope? envelope)
    {
        if (ReadFirst(frame.Span[..Math.Min(frame.Length, Reach)]) is { Length: > 0 } sender)
        {
            envelope = new() { Sender = sender };
            return true;
        }

        var end = frame[^Math.Min(frame.Length, Reach)..];
        var start = end.Span.LastIndexOf("\"sender\""u8);
        envelope = null;
        return start >= 0
            && TryRead((byte[])[(byte)'{', .. end.Span[start..]], out envelope, out _)
            && envelope.Sender.Length > 0;
    }

    private static string? ReadFirst(ReadOnlySpan<byte> beginning)
    {
        try
        {
            var json = new Utf8JsonReader(beginning, isFinalBlock: false, default);
            return json.Read() && json.TokenType == JsonTokenType.StartObject && json.Read() && json.ValueTextEquals("sender"u8)
                && json.Read() && json.TokenType == JsonTokenType.String ? json.GetString() : null;
        }
        catch (Exception failure) when (failure is JsonException or InvalidOperationException)
        {
            return null;
        }
    }

    // False for what is JSON and has none of the three members.
    private bool TryReadMembers(ref Utf8JsonReader json, ReadOnlyMemory<byte> frame)
    {
        json.Read(); // throws for an empty payload
        if (json.TokenType != JsonTokenType.StartObject)
        {
            json.Skip();
            return false;
        }

        var isEnvelope = false;
        while (json.Read() && json.TokenType == JsonTokenType.PropertyName)
        {
            isEnvelope |= ReadMember(ref json, frame);
        }

        if (!IsMarked)
        {
            (Error, HasValue, NotProcessed, IsOfHandler, RemainingMilliseconds, RefusedGroups) = (null, false, false, false, 0, null);
            _headers = null;
        }

        return isEnvelope;
    }

    // True for one of the three that make an envelope.
    private bool ReadMember(ref Utf8JsonReader json, ReadOnlyMemory<byte> frame)
    {
        // Compared as they stand in the frame: a name that is made a string is garbage a moment later.
        if (json.ValueTextEquals("data"u8))
        {
            json.Read();
            var start = (int)json.TokenStartIndex;
            json.Skip();
            Data = frame[start..(int)json.BytesConsumed];
            return true;
        }

        if (json.ValueTextEquals("sender"u8))
        {
            json.Read();
            Sender = json.TokenType == JsonTokenType.Null ? "" : json.GetString()!;
            return true;
        }

        if (json.ValueTextEquals("code"u8))
        {
            json.Read();
            Code = json.TokenType == JsonTokenType.Null ? 0 : json.GetInt32();
            return true;
        }

        if (json.ValueTextEquals("mesh"u8))
        {
            json.Read();
            IsMarked = json.TokenType == JsonTokenType.Number && json.TryGetInt32(out var mark) && mark == Mark;
            json.Skip();
            return false;
        }

        ReadOwnMember(ref json);
        return false;
    }

    // What stands beside the mark.
    private void ReadOwnMember(ref Utf8JsonReader json)
    {
        var name = json.GetString();
        json.Read();
        switch (name)
        {
            case "error" when json.TokenType == JsonTokenType.String:
                Error = json.GetString();
                break;
            case "not_processed":
                NotProcessed = json.TokenType == JsonTokenType.True;
                break;
            case "of_handler":
                IsOfHandler = json.TokenType == JsonTokenType.True;
                break;
            case "has_value":
                HasValue = json.TokenType == JsonTokenType.True;
                break;
            case "remaining_ms" when json.TokenType == JsonTokenType.Number:
                RemainingMilliseconds = json.TryGetInt64(out var left) ? left : 0;
                break;
            case "refused_groups" when json.TokenType == JsonTokenType.StartArray:
                ReadRefusedGroups(ref json);
                break;
            case "headers" when json.TokenType == JsonTokenType.StartObject:
                ReadHeaders(ref json);
                break;
        }

        json.Skip();
    }

    private void ReadRefusedGroups(ref Utf8JsonReader json)
    {
        RefusedGroups = [];
        while (json.Read() && json.TokenType != JsonTokenType.EndArray)
        {
            if (json.TokenType == JsonTokenType.String)
            {
                RefusedGroups.Add(json.GetString()!);
            }

            json.Skip();
        }
    }

    private void ReadHeaders(ref Utf8JsonReader json)
    {
        while (json.Read() && json.TokenType == JsonTokenType.PropertyName)
        {
            var name = json.GetString()!;
            json.Read();
            if (json.TokenType == JsonTokenType.String)
            {
                (_headers ??= []).Add((name, json.GetString()!));
            }

            json.Skip();
        }
    }
}
