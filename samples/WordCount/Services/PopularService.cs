using Microsoft.Extensions.DependencyInjection;

namespace ServiceMesh.Samples.WordCount;

/// <summary><c>example.popular3</c>, <c>4</c> and <c>5</c>: the same delegate with another length.</summary>
public static class PopularService
{
    public static IServiceMeshBuilder AddPopular(
        this IServiceMeshBuilder mesh, RequestTopic<Dictionary<string, int>, Popular> topic, int length) =>
        mesh.AddHandler(topic, async (counts, context) =>
        {
            var popular = MostFrequent(counts, length);
            var bus = context.Services.GetRequiredService<IServiceBus>();
            await bus.SignalAsync(Topics.Log, $"{topic}: {popular.Words.Length} words, {popular.Score} times", context.CancellationToken);
            return popular;
        });

    public static Popular MostFrequent(Dictionary<string, int> counts, int length)
    {
        var candidates = counts.Where(c => c.Key.Length == length).ToArray();
        var score = candidates.Select(c => c.Value).DefaultIfEmpty(0).Max();
        return new(length, score, [.. candidates.Where(c => c.Value == score).Select(c => c.Key)]);
    }
}
