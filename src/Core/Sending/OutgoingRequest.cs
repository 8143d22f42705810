using System.Diagnostics;
using System.Runtime.CompilerServices;

namespace ServiceMesh;

/// <summary>
/// One request that has been encoded and is ready to be sent, once. The three ways to wait for its answer have one state machine
/// each, with nothing nested in it; and when the request has ended nothing refers to this object, so it serves the next one
/// (see docs/decisions/0021-one-object-each-way.md).
/// </summary>
internal sealed class OutgoingRequest
{
    // One for each thread is enough: a caller that asks again goes on where its request before ended.
    [ThreadStatic]
    private static OutgoingRequest? t_free;

    private Sender _sender = null!;

    private OutgoingRequest() { }

    public Message Message { get; private set; } = null!;

    public CallScope Scope { get; private set; } = null!;

    public Activity? Activity { get; private set; }

    public long Started { get; private set; }

    /// <summary>True when it is among the requests in flight that the metric tells.</summary>
    public bool IsCounted { get; private set; }

    public static OutgoingRequest Of(Sender sender, Message message, CallScope scope, Activity? activity, long started, bool isCounted)
    {
        var request = t_free ?? new();
        t_free = null;
        (request._sender, request.Message, request.Scope, request.Activity) = (sender, message, scope, activity);
        (request.Started, request.IsCounted) = (started, isCounted);
        return request;
    }

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
                reply = await _sender.SendAsync(this).ConfigureAwait(false);
            }
            catch (Exception failure)
            {
                reply = _sender.Answer(this, failure);
            }

            return _sender.Read<T>(this, reply, out var value) is { } problem ? throw problem.ToException() : value!;
        }
        finally
        {
            Scope.Dispose();
            Release();
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
                reply = await _sender.SendAsync(this).ConfigureAwait(false);
            }
            catch (Exception failure)
            {
                reply = _sender.Answer(this, failure);
            }

            return _sender.Read<T>(this, reply);
        }
        finally
        {
            Scope.Dispose();
            Release();
        }
    }

    /// <summary>Sends it as one step of a composition, whose scope goes on.</summary>
    /// <exception cref="OperationCanceledException">The caller cancelled.</exception>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public async ValueTask<Reply<T>> StepAsync<T>()
    {
        try
        {
            ReplyMessage reply;
            try
            {
                reply = await _sender.SendAsync(this).ConfigureAwait(false);
            }
            catch (Exception failure)
            {
                reply = _sender.Answer(this, failure);
            }

            return _sender.Read<T>(this, reply);
        }
        finally
        {
            Release();
        }
    }

    private void Release()
    {
        (_sender, Message, Scope, Activity) = (null!, null!, null!, null);
        t_free = this;
    }
}
