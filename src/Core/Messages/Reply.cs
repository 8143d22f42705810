using System.Diagnostics.CodeAnalysis;

namespace ServiceMesh;

/// <summary>How a request or a composition ended, without its value. See <see cref="Reply{T}"/>.</summary>
public abstract class Reply
{
    private protected Reply(StatusCode status, Headers headers, ReplyFailure? failure)
    {
        Status = status;
        Headers = headers;
        Failure = failure;
    }

    /// <summary>How it ended.</summary>
    public StatusCode Status { get; }

    /// <summary>What the handler set beside its answer.</summary>
    public Headers Headers { get; }

    /// <summary>What went wrong; null on success.</summary>
    public ReplyFailure? Failure { get; }

    /// <summary>True when <see cref="Status"/> is below 300.</summary>
    [MemberNotNullWhen(false, nameof(Failure))]
    public bool IsSuccess => Failure is null;

    /// <summary>A successful reply, for tests that stand in for the bus.</summary>
    public static Reply<T> Succeeded<T>(T value) => Reply<T>.Success(value);

    /// <summary>A failed reply, for tests that stand in for the bus.</summary>
    /// <param name="status">300 to 999.</param>
    /// <param name="step">The topic.</param>
    /// <param name="message">What went wrong.</param>
    /// <param name="notProcessed">True when no handler ran.</param>
    /// <exception cref="ArgumentOutOfRangeException">The status is not that of a failure.</exception>
    public static Reply<T> Failed<T>(StatusCode status, string step, string message, bool notProcessed = false)
    {
        return Reply<T>.Failed(new ReplyFailure(StatusRange.CheckedFailure(status, nameof(status)), step, message, notProcessed));
    }
}

/// <summary>
/// An answer with its status: the value on success; on failure what went wrong, at which step, and how to go on.
/// Immutable.
/// </summary>
/// <example>
/// <code source="samples/Snippets/Requests.cs" region="try-request" />
/// </example>
public sealed class Reply<T> : Reply
{
    private Reply(StatusCode status, Headers headers, T? value, ReplyFailure? failure, Resumption<T>? resumption)
        : base(status, headers, failure)
    {
        Value = value;
        Resumption = resumption;
    }

    /// <summary>
    /// The value on success. On failure the default of <typeparamref name="T"/>, unless the handler answered with a
    /// value beside its failing status.
    /// </summary>
    public T? Value { get; }

    /// <summary>
    /// Runs what a failed composition left undone, from the failed step on; null on success, and for a single request.
    /// Pass it to <see cref="IServiceBus.TryResumeAsync"/>.
    /// </summary>
    public Resumption<T>? Resumption { get; }

    /// <summary>The value, or the typed exception of the failure.</summary>
    /// <exception cref="ServiceMeshException">The reply is a failure; which exception tells <see cref="ReplyFailure.Kind"/>.</exception>
    public T GetValueOrThrow() => Failure is null ? Value! : throw Failure.ToException();

    /// <summary>The value on success; false on failure.</summary>
    public bool TryGetValue([MaybeNullWhen(false)] out T value)
    {
        value = Value;
        return IsSuccess;
    }

    /// <summary>For logs and debuggers: <c>200 Ok: the value</c>, or the status, the step and the message of the failure.</summary>
    public override string ToString() =>
        Failure is null ? $"{(int)Status} {Status}: {Value}" : $"{(int)Status} {Status} at '{Failure.Step}': {Failure.Message}";

    internal static Reply<T> Success(T value, Headers? headers = null, StatusCode status = StatusCode.Ok) =>
        new(status, headers ?? Headers.Empty, value, null, null);

    internal static Reply<T> Failed(ReplyFailure failure, Headers? headers = null, T? value = default) =>
        new(failure.Status, headers ?? Headers.Empty, value, failure, null);

    internal Reply<T> ResumedBy(Resumption<T> resumption) => new(Status, Headers, Value, Failure, resumption);
}
