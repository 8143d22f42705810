using NUnit.Framework;

namespace ServiceMesh.Core.Tests;

public sealed class ReplyFailureTests
{
    private static readonly (StatusCode Status, FailureKind Processed, FailureKind NotProcessed)[] s_kinds =
    [
        ((StatusCode)300, FailureKind.HandlerFailed, FailureKind.Rejected),
        (StatusCode.BadRequest, FailureKind.HandlerFailed, FailureKind.Rejected),
        (StatusCode.Unauthorized, FailureKind.HandlerFailed, FailureKind.Rejected),
        (StatusCode.Forbidden, FailureKind.HandlerFailed, FailureKind.Rejected),
        (StatusCode.NotFound, FailureKind.HandlerFailed, FailureKind.NoHandler),
        (StatusCode.DeadlinePassed, FailureKind.TimedOut, FailureKind.TimedOut),
        ((StatusCode)418, FailureKind.HandlerFailed, FailureKind.Rejected),
        (StatusCode.BodyTooLarge, FailureKind.HandlerFailed, FailureKind.Rejected),
        (StatusCode.Overloaded, FailureKind.HandlerFailed, FailureKind.Rejected),
        (StatusCode.HandlerTimeout, FailureKind.HandlerFailed, FailureKind.Rejected),
        (StatusCode.HandlerFailed, FailureKind.HandlerFailed, FailureKind.Rejected),
        (StatusCode.Unavailable, FailureKind.Unavailable, FailureKind.Unavailable),
    ];

    [TestCaseSource(nameof(Kinds))]
    public void Each_status_has_a_kind_and_an_exception(StatusCode status, bool notProcessed, FailureKind kind)
    {
        var failure = new ReplyFailure(status, "a.b", "It went wrong.", notProcessed);
        Assert.That(failure.Kind, Is.EqualTo(kind));
        var exception = failure.ToException();
        Assert.That(exception.GetType(), Is.EqualTo(kind switch
        {
            FailureKind.NoHandler => typeof(NoHandlerException),
            FailureKind.TimedOut => typeof(RequestTimedOutException),
            FailureKind.Rejected => typeof(RequestRejectedException),
            FailureKind.Unavailable => typeof(TransportUnavailableException),
            _ => typeof(HandlerFailedException),
        }));
        Assert.That(exception.Failure, Is.SameAs(failure));
    }

    [Test]
    public void Every_named_failing_status_is_in_the_table() =>
        Assert.That(s_kinds.Select(k => k.Status), Is.SupersetOf(Enum.GetValues<StatusCode>().Where(s => s.IsFailure)));

    [Test]
    public void Only_temporary_refusals_that_were_not_processed_are_retryable()
    {
        var retryable =
            from status in Enum.GetValues<StatusCode>()
            from notProcessed in new[] { true, false }
            where new ReplyFailure(status, "a", "b", notProcessed).IsRetryable
            select (status, notProcessed);
        Assert.That(retryable, Is.EquivalentTo(new[] { (StatusCode.Overloaded, true), (StatusCode.Unavailable, true) }));
    }

    [Test]
    public void The_exception_names_step_status_and_message_and_keeps_the_cause()
    {
        var cause = new InvalidOperationException("the cause");
        var exception = new ReplyFailure(StatusCode.HandlerFailed, "weather.fetch", "It threw.") { Exception = cause }.ToException();
        Assert.That(exception.Message, Is.EqualTo("'weather.fetch' failed with 500: It threw."));
        Assert.That(exception.InnerException, Is.SameAs(cause));
    }

    [Test]
    public void Failures_begin_at_300()
    {
        Assert.That(((StatusCode)299).IsFailure, Is.False);
        Assert.That(((StatusCode)300).IsFailure, Is.True);
        Assert.That(StatusCode.None.IsFailure, Is.False);
    }

    [TestCase(299)]
    [TestCase(1000)]
    [TestCase(0)]
    public void A_handler_cannot_throw_a_status_that_is_not_a_failure(int status) =>
        Assert.That(() => new ReplyException((StatusCode)status, "no"), Throws.TypeOf<ArgumentOutOfRangeException>());

    [TestCase(300)]
    [TestCase(999)]
    public void A_handler_may_throw_any_failing_status(int status) =>
        Assert.That(new ReplyException((StatusCode)status, "no").Status, Is.EqualTo((StatusCode)status));

    private static IEnumerable<object[]> Kinds =>
        s_kinds.SelectMany(k => new object[][] { [k.Status, false, k.Processed], [k.Status, true, k.NotProcessed] });
}
