using System.Diagnostics;
using System.Runtime.CompilerServices;

namespace ServiceMesh;

/// <summary>
/// One request that has been encoded and is ready to be sent, once. A value without an object of its own: the three ways to wait
/// for its answer have one state machine each, and nothing is nested in it.
/// </summary>
internal readonly struct OutgoingRequest(Sender sender, Message message, CallScope scope, Activity? activity, long started)
{
    public Message Message => message;

    public CallScope Scope => scope;

    public Activity? Activity => activity;

    public long Started => started;

    /// <summary>Sends it and returns the value of its answer. Ends the scope, which belongs to this request alone.</summary>
    /// <exception cref="ServiceMeshException">The request failed.</exception>
    /// <exception cref="OperationCanceledException">The caller cancelled.</exception>
    public async Task<T> ValueAsync<T>()
    {
        try
        {
            ReplyMessage reply;
            try
            {
                reply = await sender.SendAsync(this).ConfigureAwait(false);
            }
            catch (Exception failure)
            {
                reply = sender.Answer(this, failure);
            }

            return sender.Read<T>(this, reply, out var value) is { } problem ? throw problem.ToException() : value!;
        }
        finally
        {
            scope.Dispose();
        }
    }

    /// <summary>Sends it and returns its answer. Ends the scope, which belongs to this request alone.</summary>
    /// <exception cref="OperationCanceledException">The caller cancelled.</exception>
    public async Task<Reply<T>> ReplyAsync<T>()
    {
        try
        {
            ReplyMessage reply;
            try
            {
                reply = await sender.SendAsync(this).ConfigureAwait(false);
            }
            catch (Exception failure)
            {
                reply = sender.Answer(this, failure);
            }

            return sender.Read<T>(this, reply);
        }
        finally
        {
            scope.Dispose();
        }
    }

    /// <summary>Sends it as one step of a composition, whose scope goes on.</summary>
    /// <exception cref="OperationCanceledException">The caller cancelled.</exception>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public async ValueTask<Reply<T>> StepAsync<T>()
    {
        ReplyMessage reply;
        try
        {
            reply = await sender.SendAsync(this).ConfigureAwait(false);
        }
        catch (Exception failure)
        {
            reply = sender.Answer(this, failure);
        }

        return sender.Read<T>(this, reply);
    }
}
