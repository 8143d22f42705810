namespace ServiceMesh.Links;

/// <summary>How a request to one member ended.</summary>
internal enum AnswerKind
{
    /// <summary>The member took it, and this is the outcome.</summary>
    Reply,

    /// <summary>The member did not take it. Another member may.</summary>
    Refusal,

    /// <summary>It was not handed over to the member.</summary>
    NotSent,

    /// <summary>No connection of the member was there to receive it.</summary>
    NoReceiver,

    /// <summary>It may have been handed over, and no answer will come: whether a handler ran is not known.</summary>
    Lost,
}

/// <summary>The end of a request to one member.</summary>
/// <param name="Kind">How it ended.</param>
/// <param name="Reply">What the caller would be told if nothing else can be tried.</param>
internal readonly record struct LinkAnswer(AnswerKind Kind, ReplyMessage Reply)
{
    /// <summary>How busy the member said that it is, in the unit of the transport; null when it did not answer.</summary>
    public int? Load { get; init; }

    /// <summary>Whether the member said that it takes no new messages.</summary>
    public bool IsLeaving { get; init; }

    /// <summary>True when no handler ran for it, so that another member may be asked.</summary>
    public bool MayGoElsewhere => Kind is AnswerKind.Refusal or AnswerKind.NotSent or AnswerKind.NoReceiver;

    public static LinkAnswer NotSent(string error, AnswerKind kind = AnswerKind.NotSent) =>
        new(kind, ReplyMessage.Failure(StatusCode.Unavailable, error, notProcessed: true));

    public static LinkAnswer Lost(string error) => new(AnswerKind.Lost, ReplyMessage.Failure(StatusCode.Unavailable, error));
}
