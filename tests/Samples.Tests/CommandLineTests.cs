namespace ServiceMesh.Samples.Tests;

public sealed class CommandLineTests
{
    [TestCase("", null, "")]
    [TestCase("/usr/share/x", "/usr/share/x", "")]
    [TestCase("a=b.txt", "a=b.txt", "")]
    [TestCase("--Role Client x", "x", "--Role=Client")]
    [TestCase("x --Role Client", "x", "--Role=Client")]
    [TestCase("--role=server", null, "--role=server")]
    [TestCase("--ServiceMesh:Redis:Configuration host:1,password=a=b x", "x", "--ServiceMesh:Redis:Configuration=host:1,password=a=b")]
    [TestCase("--Role All -- --strange", "--strange", "--Role=All")]
    [TestCase("-- x", "x", "")]
    public void Settings_and_the_argument_may_be_in_any_order(string line, string? argument, string settings)
    {
        var parsed = CommandLine.Parse(Split(line));

        Assert.That(parsed.Argument, Is.EqualTo(argument));
        Assert.That(string.Join(' ', parsed.Settings), Is.EqualTo(settings));
    }

    [TestCase("--Role", "--Role needs a value")]
    [TestCase("--Role --ServiceMesh:Transport InMemory", "--Role needs a value")]
    [TestCase("--Roll Client", "--Roll is not known")]
    [TestCase("--ServiseMesh:Transport=Redis", "--ServiseMesh:Transport is not known")]
    [TestCase("-Role Client", "'-Role' is not known")]
    [TestCase("a b", "there are 2: 'a', 'b'")]
    public void A_mistake_is_named_in_the_message(string line, string message) =>
        Assert.That(() => CommandLine.Parse(Split(line)), Throws.TypeOf<UsageException>().With.Message.Contains(message));

    [Test]
    public void An_empty_argument_is_a_mistake() => Assert.That(() => CommandLine.Parse([""]), Throws.TypeOf<UsageException>());

    [Test]
    public void Help_takes_precedence_over_other_arguments() => Assert.That(CommandLine.Parse(["x", "--help", "y"]).AsksForHelp, Is.True);

    private static string[] Split(string line) => line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
}
