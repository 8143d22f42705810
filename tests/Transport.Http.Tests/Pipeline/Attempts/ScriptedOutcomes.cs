namespace ServiceMesh.Http.Tests;

/// <summary>Outcomes of attempts as a server would cause them.</summary>
internal static class ScriptedOutcomes
{
    public static readonly AttemptOutcome Answered = AttemptOutcome.OfAnswer(200, isFromNode: true, isNotProcessed: false, null, default);
    public static readonly AttemptOutcome Declined = AttemptOutcome.OfAnswer(503, isFromNode: true, isNotProcessed: true, null, default);
    public static readonly AttemptOutcome NotSent = AttemptOutcome.OfFailure(wasSent: false);
    public static readonly AttemptOutcome Broken = AttemptOutcome.OfFailure(wasSent: true);

    public static AttemptOutcome BrokenUntil(TimeSpan retryAfter) =>
        AttemptOutcome.OfAnswer(503, isFromNode: false, isNotProcessed: false, retryAfter, default);
}
