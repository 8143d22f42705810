namespace ServiceMesh.Samples.WordCount;

/// <summary><c>example.count</c></summary>
public sealed class CountHandler(IServiceBus bus) : IRequestHandler<string[], Dictionary<string, int>>
{
    public async Task<Dictionary<string, int>> HandleAsync(string[] words, HandlerContext context)
    {
        var counts = words.CountBy(word => word, StringComparer.Ordinal).ToDictionary();
        await bus.SignalAsync(Topics.Log, $"example.count: {counts.Count} different words", context.CancellationToken);
        return counts;
    }
}
