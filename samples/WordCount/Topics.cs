namespace ServiceMesh.Samples.WordCount;

/// <summary>The contract between the services and their callers. Only names and types: either side may be another program.</summary>
public static class Topics
{
    /// <summary>A file path or an http(s) URL → its text.</summary>
    public static readonly RequestTopic<string, string> Fetch = new("example.fetch");

    /// <summary>A text → its words: maximal runs of ASCII letters, digits and underscore, in order, case kept.</summary>
    public static readonly RequestTopic<string, string[]> Words = new("example.words");

    /// <summary>Words → those that are not in stopwords.txt. Case counts: "the" in the list does not drop "The".</summary>
    public static readonly RequestTopic<string[], string[]> StopFilter = new("example.stopfilter");

    /// <summary>Words → how often each occurs.</summary>
    public static readonly RequestTopic<string[], Dictionary<string, int>> Count = new("example.count");

    /// <summary>Counts → the most frequent words of three characters.</summary>
    public static readonly RequestTopic<Dictionary<string, int>, Popular> Popular3 = new("example.popular3");

    /// <summary>Counts → the most frequent words of four characters.</summary>
    public static readonly RequestTopic<Dictionary<string, int>, Popular> Popular4 = new("example.popular4");

    /// <summary>Counts → the most frequent words of five characters.</summary>
    public static readonly RequestTopic<Dictionary<string, int>, Popular> Popular5 = new("example.popular5");

    /// <summary>A line about what a service has done.</summary>
    public static readonly SignalTopic<string> Log = new("example.log");
}

/// <summary>The most frequent words of one length: several if they are equally frequent, none if the text has no word of it.</summary>
/// <param name="WordLength">In characters.</param>
/// <param name="Score">How often each of them occurs.</param>
/// <param name="Words">In no particular order.</param>
public sealed record Popular(int WordLength, int Score, string[] Words);
