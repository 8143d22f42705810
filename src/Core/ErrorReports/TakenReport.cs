namespace ServiceMesh;

/// <summary>A report that was taken from a queue: acknowledge it when it is done with, or release it.</summary>
/// <param name="report">What was taken.</param>
/// <param name="receipt">By which the queue that handed it out finds it again; nothing else reads it.</param>
public sealed class TakenReport(ErrorReport report, object receipt)
{
    private int _isReplayed;

    /// <summary>The report.</summary>
    public ErrorReport Report { get; } = report;

    /// <summary>By which the queue that handed it out finds it again.</summary>
    public object Receipt { get; } = receipt;

    /// <summary>True once.</summary>
    internal bool TryBeginReplay() => Interlocked.Exchange(ref _isReplayed, 1) == 0;
}
