namespace ServiceMesh.Links;

/// <summary>One request of another node that runs here: the work item of the pool, and what cancels it.</summary>
internal sealed class RunningDelivery(RunningDeliveries owner, string sender, long id, Delivery delivery) : IThreadPoolWorkItem, IDisposable
{
    private readonly CancellationTokenSource _callerGone = new();

    public string Sender => sender;

    public long Id => id;

    public Delivery Delivery => delivery;

    /// <summary>The caller has stopped waiting: the handler's token fires, on the pool.</summary>
    public void Cancel()
    {
        try
        {
            _ = _callerGone.CancelAsync();
        }
        catch (ObjectDisposedException)
        {
            // The handler has just ended: there is nothing left to cancel.
        }
    }

    async void IThreadPoolWorkItem.Execute()
    {
        // RunAsync never throws: every outcome is a reply.
        var reply = await delivery.RunAsync(_callerGone.Token).ConfigureAwait(false);
        owner.End(this, reply);
        Dispose();
    }

    public void Dispose() => _callerGone.Dispose();
}
