namespace ServiceMesh.Conformance;

/// <summary>Takes reports out of a queue for good.</summary>
internal static class ErrorQueueDrain
{
    /// <summary>Takes and acknowledges the oldest reports.</summary>
    public static async Task<IReadOnlyList<ErrorReport>> EmptyAsync(this IErrorQueue queue, int max)
    {
        var taken = await queue.TakeAsync(max);
        foreach (var report in taken)
        {
            await queue.AcknowledgeAsync(report);
        }

        return [.. taken.Select(t => t.Report)];
    }
}
