namespace ServiceMesh;

/// <summary>One execution of a composition whose requests go out through the sender of a node.</summary>
internal sealed class SentRun(Sender sender, CallScope scope) : CompositionRun
{
    public override CancellationToken Token => scope.Token;

    public override ValueTask<Reply<TOut>> RequestAsync<TIn, TOut>(Topic topic, bool isIdempotent, TIn input) =>
        sender.Prepare<TIn, TOut>(topic, isIdempotent, input, scope).StepAsync<TOut>();

    protected override ReplyMessage GaveUpReply(string step, bool begun) => scope.GaveUp(step, notSent: !begun);

    protected override void Report(ReplyFailure failure) => sender.ReportLocal(failure);
}
