using System.Text.RegularExpressions;
using System.Xml.Linq;

namespace ServiceMesh.Docs.Tests;

/// <summary>The summaries of options, from the documentation files of the libraries, as Markdown.</summary>
internal static partial class XmlDocumentation
{
    private static readonly Dictionary<string, XElement> s_summaries = new[] { "ServiceMesh", "ServiceMesh.Http", "ServiceMesh.Redis" }
        .SelectMany(assembly => XDocument.Load(Path.Combine(AppContext.BaseDirectory, $"{assembly}.xml")).Descendants("member"))
        .Where(member => ((string)member.Attribute("name")!).StartsWith("P:ServiceMesh.", StringComparison.Ordinal))
        .Where(member => member.Element("summary") is not null)
        .ToDictionary(member => (string)member.Attribute("name")!, member => member.Element("summary")!);

    /// <summary>The whole summary of an option in one line.</summary>
    public static string Summary(OptionKey key)
    {
        var name = $"P:{key.Property.DeclaringType!.FullName}.{key.Property.Name}";
        return s_summaries.TryGetValue(name, out var summary)
            ? Spaces().Replace(string.Concat(summary.Nodes().Select(Markdown)), " ").Trim()
            : throw new InvalidOperationException($"{name} has no summary.");
    }

    /// <summary>The summary without range and default, which have their own columns.</summary>
    public static string Meaning(OptionKey key)
    {
        var text = DefaultSentence().Replace(Summary(key), "");
        if (key.Range is { } range)
        {
            text = text.Replace($"{Words.Of(range)}.", "", StringComparison.Ordinal);
        }

        return Spaces().Replace(text, " ").Trim().TrimEnd('.').Replace("|", "\\|", StringComparison.Ordinal);
    }

    /// <summary>The default that the summary states.</summary>
    public static string Default(OptionKey key) => DefaultSentence().Match(Summary(key)) is { Success: true } match
        ? match.Groups[1].Value.TrimEnd('.')
        : throw new InvalidOperationException($"The summary of {key.Name} does not end with 'Default: …'.");

    private static string Markdown(XNode node) => node switch
    {
        XText text => text.Value,
        XElement { Name.LocalName: "c" } code => $"`{code.Value}`",
        XElement { Name.LocalName: "see" } link => $"`{NameOf((string?)link.Attribute("cref") ?? "")}`",
        XElement { Name.LocalName: "para" } paragraph => $" {string.Concat(paragraph.Nodes().Select(Markdown))} ",
        _ => throw new InvalidOperationException($"The table of keys cannot show {node}."),
    };

    private static string NameOf(string reference) => Arguments().Replace(reference, "").Split('.', ':')[^1];

    [GeneratedRegex(@"\s+")]
    private static partial Regex Spaces();

    [GeneratedRegex(@"Default: (.+)$")]
    private static partial Regex DefaultSentence();

    [GeneratedRegex(@"\(.*\)$|`\d+")]
    private static partial Regex Arguments();
}
