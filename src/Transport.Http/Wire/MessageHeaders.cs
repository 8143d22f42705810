using System.Globalization;

namespace ServiceMesh.Http;

/// <summary>The headers of a message while they are read, one by one. A mutable value: pass it by reference.</summary>
/// <param name="kind">Whether the message is a request or a signal.</param>
/// <param name="clock">The clock of the deadline.</param>
internal struct MessageHeaders(MessageKind kind, TimeProvider clock)
{
    /// <summary>The maximum length of an id: node ids are shorter than topics.</summary>
    private const int MaxIdLength = 300;

    /// <summary>The default of <c>curl -d</c>: the configured serializer reads the body then.</summary>
    public const string TypeOfCurl = "application/x-www-form-urlencoded";

    private static long s_nameless;

    private MessageId? _id;
    private Deadline _deadline;
    private List<(string Name, string Value)>? _own;
    private Headers? _read;

    /// <summary>What is wrong and what is allowed; null while nothing is.</summary>
    public string? Error { get; private set; }

    /// <summary>Reads one header.</summary>
    public void Read(string name, string value)
    {
        if (name.Equals(MeshHeader.Id, StringComparison.OrdinalIgnoreCase))
        {
            _id = ReadId(HeaderText.Decode(value));
            Error = value.Length is 0 or > MaxIdLength
                ? $"{MeshHeader.Id} has {value.Length} characters; 1 to {MaxIdLength} are allowed."
                : Error;
        }
        else if (name.Equals(MeshHeader.Timeout, StringComparison.OrdinalIgnoreCase))
        {
            var isNumber = long.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var left);
            Error = isNumber ? Error : $"{MeshHeader.Timeout} is '{Cut(value)}'; a whole number of milliseconds is allowed.";
            var time = TimeSpan.FromMilliseconds(Math.Min(left, (long)TimeSpan.FromDays(1).TotalMilliseconds));
            _deadline = isNumber && kind == MessageKind.Request ? Deadline.After(time, clock) : _deadline;
        }
        else if (MessageWire.TryReadOwn(name, value) is { } header)
        {
            (_own ??= []).Add(header);
        }
    }

    /// <summary>All headers were read. False if they are not those of a message: then <see cref="Error"/> says why.</summary>
    public bool TryComplete()
    {
        _read = Headers.Empty;
        if (_own is not null && !Headers.TryRead(_own, out _read))
        {
            Error ??= $"A header of the message ({MeshHeader.OfMessage}…) is outside the limits: at most {Headers.MaxCount} " +
                $"with {Headers.MaxCharacters} characters in all, " +
                "names of 1 to 64 letters, digits, '-', '_' or '.', values without control characters.";
        }

        return Error is null;
    }

    /// <summary>The message, after <see cref="TryComplete"/>.</summary>
    public readonly Message ToMessage(Topic topic, string? contentType, ReadOnlyMemory<byte> body, IMessageCaller? caller = null) => new()
    {
        Id = _id ?? new MessageId("nameless", Interlocked.Increment(ref s_nameless)),
        Kind = kind,
        Topic = topic,
        Headers = _read!,
        Deadline = _deadline,
        ContentType = contentType is null or TypeOfCurl ? "" : contentType,
        Body = body,
        Caller = caller,
    };

    private static MessageId ReadId(string text)
    {
        var dot = text.LastIndexOf('.');
        return dot > 0 && long.TryParse(text.AsSpan(dot + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var number)
            ? new(text[..dot], number)
            : new(text, -1);
    }

    private static string Cut(string text) => text.Length <= 32 ? text : text[..32] + "…";
}
