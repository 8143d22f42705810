using System.Runtime.CompilerServices;
using Polly;

namespace ServiceMesh.Http;

/// <summary>The requests of one client that may be under way at once; what is more is refused before it costs anything.</summary>
internal sealed class ConcurrencyLimit<TReply>(int most, ClientMetrics metrics) : ResilienceStrategy<Answer<TReply>>
    where TReply : class
{
    private int _running;

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    protected override async ValueTask<Outcome<Answer<TReply>>> ExecuteCore<TState>(
        Func<ResilienceContext, TState, ValueTask<Outcome<Answer<TReply>>>> callback, ResilienceContext context, TState state)
    {
        try
        {
            if (Interlocked.Increment(ref _running) > most)
            {
                var call = Call<TReply>.Of(context);
                metrics.Refused(call.Service, "client-limit");
                return Outcome.FromResult(call.TooMany(most));
            }

            return await callback(context, state).ConfigureAwait(context.ContinueOnCapturedContext);
        }
        finally
        {
            Interlocked.Decrement(ref _running);
        }
    }
}
