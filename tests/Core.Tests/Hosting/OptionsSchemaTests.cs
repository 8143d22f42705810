using Microsoft.Extensions.Configuration;
using NUnit.Framework;

namespace ServiceMesh.Core.Tests;

public sealed class OptionsSchemaTests
{
    private static readonly OptionsSchema s_schema = OptionsSchema.Of<Root>().With<Part>();

    [Test]
    public void The_keys_are_the_settable_properties_and_those_of_named_sections() => Assert.That(
        s_schema.Keys, Is.EqualTo(["Name", "Attempts", "Part:Wait", "Parts:*:Wait", "Texts:*", "Servers:*"]));

    [Test]
    public void A_section_of_an_unregistered_type_is_refused() => Assert.That(
        () => OptionsSchema.Of<Root>().Keys,
        Throws.InvalidOperationException.With.Message.EqualTo("Root.Part is a Part: name it to the schema with With<Part>()."));

    [Test]
    public void An_option_out_of_range_is_named_with_its_full_path()
    {
        var options = new Root { Attempts = 11, Part = { Wait = TimeSpan.Zero } };
        (options.Parts["a"], options.Parts["b"]) = (new(), new() { Wait = TimeSpan.FromDays(2) });

        Assert.That(s_schema.OutOfRange("Orders:Own", options), Is.EqualTo(
        [
            "Orders:Own:Attempts is 11; allowed are 1 to 10.",
            "Orders:Own:Part:Wait is 00:00:00; allowed are 00:00:00.001 to 1.00:00:00, written [days.]hours:minutes:seconds.",
            "Orders:Own:Parts:b:Wait is 2.00:00:00; allowed are 00:00:00.001 to 1.00:00:00, written [days.]hours:minutes:seconds.",
        ]));
        Assert.That(s_schema.OutOfRange("", new Root { Attempts = 0 }), Is.EqualTo(["Attempts is 0; allowed are 1 to 10."]));
    }

    [Test]
    public void A_null_option_is_in_every_range() => Assert.That(s_schema.OutOfRange("", new Root()), Is.Empty);

    [TestCase("Part:Wiat", "Own:Part:Wiat is not a known key. Did you mean 'Wait'?")]
    [TestCase("Parts:a:Wiat", "Own:Parts:a:Wiat is not a known key. Did you mean 'Wait'?")]
    [TestCase("ReadOnly", "Own:ReadOnly is not a known key.")]
    [TestCase("Code", "Own:Code is not a known key.")]
    public void An_unknown_key_is_named_with_the_nearest_known_one(string key, string expected)
    {
        var configuration = new ConfigurationBuilder().AddInMemoryCollection([new($"Own:{key}", "x"), new("Own:Texts:any", "y")]).Build();

        Assert.That(s_schema.UnknownKeys(configuration.GetSection("Own")), Has.Count.EqualTo(1).And.All.StartsWith(expected));
    }

    [TestCase("Part:Wait", "5", "Own:Part:Wait is '5', which is 5 days. Did you mean 00:00:05?")]
    [TestCase("Parts:a:Wait", "5", "Own:Parts:a:Wait is '5', which is 5 days. Did you mean 00:00:05?")]
    public void A_time_that_is_a_number_alone_is_named_where_it_stands(string key, string value, string expected)
    {
        var configuration = new ConfigurationBuilder()
            .AddInMemoryCollection(
                [new($"Own:{key}", value), new("Own:Texts:any", "5"), new("Own:Servers:0", "5"), new("Own:Attempts", "5")])
            .Build();

        Assert.That(s_schema.Misread(configuration.GetSection("Own")), Has.Exactly(1).StartsWith(expected).And.Exactly(1).Items);
        Assert.That(s_schema.Misread(null), Is.Empty);
    }

    [TestCase(0.999, false)]
    [TestCase(1, true)]
    [TestCase(2.5, true)]
    [TestCase(2.501, false)]
    [TestCase(double.NaN, false)]
    public void A_range_of_numbers_includes_both_ends(double value, bool isIn) =>
        Assert.That(new OptionRangeAttribute(1, 2.5).Contains(value), Is.EqualTo(isIn));

    [Test]
    public void A_range_without_an_upper_end_prints_only_its_lower_end() =>
        Assert.That(new OptionRangeAttribute(1).Problem("K", 0), Is.EqualTo("K is 0; at least 1 is allowed."));

    private sealed class Root
    {
        public string Name { get; set; } = "";

        [OptionRange(1, 10)]
        public int? Attempts { get; set; }

        public Part Part { get; set; } = new();

        public Dictionary<string, Part> Parts { get; set; } = [];

        public Dictionary<string, string> Texts { get; set; } = [];

        public IReadOnlyList<string> Servers { get; set; } = [];

        public string ReadOnly => Name;

        public Action? Code { get; set; }
    }

    private sealed class Part
    {
        [OptionRange("00:00:00.001", "1.00:00:00")]
        public TimeSpan Wait { get; set; } = TimeSpan.FromSeconds(1);
    }
}
