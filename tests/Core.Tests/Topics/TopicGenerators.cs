using FsCheck;
using FsCheck.Fluent;

namespace ServiceMesh.Core.Tests;

/// <summary>Topics and patterns of few different segments, so that they often match, and a matcher that is obviously right.</summary>
internal static class TopicGenerators
{
    private static readonly Gen<string> s_segment = Gen.Elements("a", "b", "c", "aa");

    public static readonly Gen<string> Topic =
        from depth in Gen.Choose(1, 5)
        from segments in s_segment.ArrayOf(depth)
        select string.Join('.', segments);

    public static readonly Gen<string> Pattern =
        from depth in Gen.Choose(1, 5)
        from segments in Gen.Frequency((2, s_segment), (1, Gen.Constant("*"))).ArrayOf(depth)
        select string.Join('.', segments);

    public static readonly Config Seeded = Config.QuickThrowOnFailure.WithMaxTest(500).WithReplay(20240601UL, 7UL);

    /// <summary>The rule of the documentation, implemented literally.</summary>
    public static bool Matches(string pattern, string topic)
    {
        var p = pattern.Split('.');
        var t = topic.Split('.');
        if (p[^1] == "*")
        {
            return t.Length >= p.Length && p.SkipLast(1).Zip(t).All(Same);
        }

        return t.Length == p.Length && p.Zip(t).All(Same);

        static bool Same((string Pattern, string Topic) pair) => pair.Pattern == "*" || pair.Pattern == pair.Topic;
    }
}
