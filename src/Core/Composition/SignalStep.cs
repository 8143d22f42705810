namespace ServiceMesh;

/// <summary>A signal as a step. It ends with how many received it; none is an answer too.</summary>
internal sealed class SignalStep<T>(SignalTopic<T> topic) : Composition<T, SignalResult>
{
    internal override async ValueTask<Reply<SignalResult>> RunAsync(T input, CompositionRun run)
    {
        var name = topic.ToString();
        try
        {
            return Reply<SignalResult>.Success(await run.SignalAsync(topic, input).ConfigureAwait(false));
        }
        catch (ServiceMeshException lost)
        {
            return Reply<SignalResult>.Failed(lost.Failure); // reported by the sender
        }
        catch (Exception failure) when (failure is not OperationCanceledException || !run.Token.IsCancellationRequested)
        {
            return run.Failed<SignalResult>(new(
                StatusCode.BadRequest, name, $"Its value cannot be sent: {ExceptionText.Brief(failure)}", notProcessed: true)
            {
                Exception = failure,
            });
        }
    }

    public override string ToString() => topic.ToString();
}
