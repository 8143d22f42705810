using System.Text.Json;
using ServiceMesh.Samples.WordCount;

namespace ServiceMesh.Samples.Tests.WordCount;

public sealed class ServiceTests
{
    [TestCase("", "")]
    [TestCase("snake_case x1 2_", "snake_case|x1|2_")]
    [TestCase("don't re-use", "don|t|re|use")]
    [TestCase("Straße ٣ über", "Stra|e|ber")]
    public void Words_are_runs_of_ASCII_letters_digits_and_underscore(string text, string words) =>
        Assert.That(string.Join('|', WordsHandler.Split(text)), Is.EqualTo(words));

    [Test]
    public void The_most_frequent_words_are_all_words_with_the_highest_count()
    {
        var counts = new Dictionary<string, int> { ["ant"] = 2, ["bee"] = 2, ["cat"] = 1, ["tree"] = 9 };

        var popular = PopularService.MostFrequent(counts, 3);

        Assert.That((popular.WordLength, popular.Score), Is.EqualTo((3, 2)));
        Assert.That(popular.Words, Is.EquivalentTo(["ant", "bee"]));
    }

    [Test]
    public void Popular_words_have_the_member_names_of_the_contract_in_JSON() =>
        Assert.That(
            JsonSerializer.Serialize(PopularService.MostFrequent([], 4)),
            Is.EqualTo("""{"WordLength":4,"Score":0,"Words":[]}"""));

    [Test]
    public void The_client_is_the_composition_of_the_seven_services() =>
        Assert.That(PopularWords.OfSource.ToString(), Is.EqualTo(
            "example.fetch | example.words | example.stopfilter | example.count"
            + " | parallel(example.popular3, example.popular4, example.popular5) | lambda"));

    [TestCase("http://host/x", ExpectedResult = true)]
    [TestCase("HTTPS://host", ExpectedResult = true)]
    [TestCase("/usr/share/x", ExpectedResult = false)]
    [TestCase("http", ExpectedResult = false)]
    public bool Only_http_and_https_are_URLs(string source) => FetchHandler.IsUrl(source);
}
