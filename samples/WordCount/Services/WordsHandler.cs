using System.Text.RegularExpressions;

namespace ServiceMesh.Samples.WordCount;

/// <summary><c>example.words</c></summary>
public sealed partial class WordsHandler(IServiceBus bus) : IRequestHandler<string, string[]>
{
    public async Task<string[]> HandleAsync(string text, HandlerContext context)
    {
        string[] words = [.. Split(text)];
        await bus.SignalAsync(Topics.Log, $"example.words: {words.Length} words", context.CancellationToken);
        return words;
    }

    public static List<string> Split(string text)
    {
        var words = new List<string>();
        foreach (var word in Word().EnumerateMatches(text))
        {
            words.Add(text.Substring(word.Index, word.Length));
        }

        return words;
    }

    // Not \w, which matches letters of all scripts.
    [GeneratedRegex("[A-Za-z0-9_]+")]
    private static partial Regex Word();
}
