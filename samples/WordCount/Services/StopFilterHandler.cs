using System.Collections.Frozen;

namespace ServiceMesh.Samples.WordCount;

/// <summary><c>example.stopfilter</c>. A singleton, so that the list is read once.</summary>
public sealed class StopFilterHandler(IServiceBus bus) : IRequestHandler<string[], string[]>
{
    private readonly FrozenSet<string> _stopWords =
        File.ReadLines(Path.Combine(AppContext.BaseDirectory, "stopwords.txt")).ToFrozenSet(StringComparer.Ordinal);

    public async Task<string[]> HandleAsync(string[] words, HandlerContext context)
    {
        string[] kept = [.. words.Where(word => !_stopWords.Contains(word))];
        await bus.SignalAsync(Topics.Log, $"example.stopfilter: dropped {words.Length - kept.Length} words", context.CancellationToken);
        return kept;
    }
}
