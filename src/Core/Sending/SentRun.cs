namespace ServiceMesh;

/// <summary>One execution of a composition, or a part of it, whose requests go out through the sender of a node.</summary>
internal sealed class SentRun : CompositionRun
{
    private readonly Sender _sender;
    private readonly CallScope _scope;
    private readonly StepKey? _key;
    private readonly bool _ownsScope;

    private SentRun(Sender sender, CallScope scope, StepKey? key, bool ownsScope, CancellationToken token)
    {
        _sender = sender;
        _scope = scope;
        _key = key;
        _ownsScope = ownsScope;
        Token = token;
    }

    public override CancellationToken Token { get; }

    public override TimeSpan Remaining => _scope.Deadline.Remaining;

    public override Headers Headers => _scope.Headers;

    public override bool IsIdempotent => _scope.IsIdempotent is true;

    public override TimeProvider Clock => _sender.Clock;

    /// <summary>The whole execution. The scope is its caller's to end.</summary>
    public static SentRun Of(Sender sender, CallScope scope) =>
        new(sender, scope, StepKey.Of(scope.Headers), ownsScope: false, scope.Token);

    public override ValueTask<Reply<TOut>> RequestAsync<TIn, TOut>(Topic topic, bool isIdempotent, TIn input)
    {
        OutgoingRequest request;
        try
        {
            request = _sender.Prepare<TIn, TOut>(topic, isIdempotent, input, _scope, _key?.In(_scope.Headers));
        }
        catch (Exception failure) when (_sender.AcceptsAnswer<TOut>(topic))
        {
            // A value between two steps is not the caller's, so what is wrong with it is a failure of the step that takes it. A contract
            // whose answer cannot be read is misuse, whatever the value is.
            return new(Failed<TOut>(new(
                StatusCode.BadRequest, topic.ToString(), $"Its input cannot be sent: {ExceptionText.Brief(failure)}", notProcessed: true)
            {
                Exception = failure,
            }));
        }

        return request.StepAsync<TOut>();
    }

    public override Task<SignalResult> SignalAsync<T>(SignalTopic<T> topic, T value) => _sender.SignalAsync(topic, value, _scope);

    public override CompositionRun Nest(RequestOptions? options)
    {
        var part = _scope.Nest(options, _sender.Clock);
        var ownKey = options?.Headers[Headers.IdempotencyKey] is null ? null : StepKey.Of(part.Headers);
        return new SentRun(_sender, part, ownKey ?? _key, ownsScope: true, part.Token);
    }

    public override Task LoseAsync() => _scope.LoseAsync();

    public override CompositionRun After(int steps) => _key is null ? this : With(_key.After(steps));

    public override CompositionRun Into(int branch) => _key is null ? this : With(_key.Into(branch));

    public override void Dispose()
    {
        if (_ownsScope)
        {
            _scope.Dispose();
        }
    }

    protected override ReplyMessage GaveUpReply(string step, bool begun) => _scope.GaveUp(step, notSent: !begun);

    protected override void Report(ReplyFailure failure) => _sender.ReportLocal(failure);

    private SentRun With(StepKey key) => new(_sender, _scope, key, ownsScope: false, Token);
}
