namespace ServiceMesh;

/// <summary>
/// How much a caller learns about an exception of a handler. The log and the error report of the handler's node carry all of it in
/// either case. What a handler says on purpose (<see cref="ReplyException"/>) always reaches the caller.
/// </summary>
public enum ErrorDetails
{
    /// <summary>A sentence with a reference, the id of the message and of the trace, by which an operator finds log and report.</summary>
    None,

    /// <summary>The type and the message of the exception.</summary>
    Message,
}
