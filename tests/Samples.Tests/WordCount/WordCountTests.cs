namespace ServiceMesh.Samples.Tests.WordCount;

/// <summary>The sample as a user sees it: stdout, stderr and the exit code of <c>dotnet WordCount.dll …</c>.</summary>
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
public sealed class WordCountTests : IDisposable
{
    private readonly TemporaryDirectory _files = new();

    public void Dispose() => _files.Dispose();

    [Test]
    public async Task The_license_agrees_with_a_count_made_by_coreutils()
    {
        const string license = "/usr/share/common-licenses/GPL-3";
        var expected = await Coreutils.CountAsync(license);

        var run = await WordCountAsync(license);

        Assert.That(run.ExitCode, Is.Zero, run.ToString);
        Assert.That(run.Out, Is.EqualTo(expected));
        Assert.That(expected[0], Does.Match("^3 letters, [1-9][0-9]* times: [a-z]+"), "the count of coreutils must be valid");
    }

    [Test]
    public async Task Equally_frequent_words_are_in_ordinal_order_and_case_counts()
    {
        var text = _files.Write("ties", "zoo_zoo Zoo zoo, 123 _ab The the; abc-abd\nnaïve élan l'été\n1234 ABCD abcd\tWXYZ");

        var run = await WordCountAsync(text);

        Assert.That(run.Out, Is.EqualTo(
        [
            "3 letters, 1 times: 123, The, Zoo, _ab, abc, abd, lan, zoo",
            "4 letters, 1 times: 1234, ABCD, WXYZ, abcd",
            "5 letters, 0 times:",
        ]));
        Assert.That(run.Out, Is.EqualTo(await Coreutils.CountAsync(text)));
    }

    [Test]
    public async Task An_empty_file_has_no_words()
    {
        var run = await WordCountAsync(_files.Write("empty", ""));

        Assert.That(run.ExitCode, Is.Zero, run.ToString);
        Assert.That(run.Out, Is.EqualTo(["3 letters, 0 times:", "4 letters, 0 times:", "5 letters, 0 times:"]));
    }

    [Test]
    public async Task A_text_is_fetched_from_a_URL()
    {
        using var server = WebServer.Answering("tree bush tree");

        var run = await WordCountAsync(server.Url);

        Assert.That(run.Out, Is.EqualTo(["3 letters, 0 times:", "4 letters, 2 times: tree", "5 letters, 0 times:"]), run.ToString);
    }

    [Test]
    public async Task A_URL_that_does_not_exist_is_reported_in_one_line()
    {
        using var server = WebServer.Answering("tree", "404 Not Found");

        var run = await WordCountAsync(server.Url);

        Assert.That(run.ExitCode, Is.EqualTo(1), run.ToString);
        Assert.That(run.OnlyError, Does.Contain($"{server.Url} answered 404 Not Found"));
    }

    [Test]
    public async Task A_URL_that_sends_more_than_the_limit_is_not_read_to_its_end()
    {
        using var server = WebServer.Answering(new string('a', 10_000));

        var run = await WordCountAsync(server.Url, "--ServiceMesh:Request:MaxBodyBytes", "5000");

        Assert.That(run.ExitCode, Is.EqualTo(1), run.ToString);
        Assert.That(run.OnlyError, Does.Contain("413").And.Contain("5000").And.Contain("ServiceMesh:Request:MaxBodyBytes"));
    }

    [Test]
    public async Task A_missing_file_is_reported_in_one_line()
    {
        var run = await SampleProcess.RunAsync("WordCount", ["missing.txt"], _files.Path);

        Assert.That(run.ExitCode, Is.EqualTo(1), run.ToString);
        Assert.That(run.Out, Is.Empty);
        Assert.That(run.OnlyError, Is.EqualTo(
            $"'example.fetch' failed with 404: There is no file '{Path.Combine(_files.Path, "missing.txt")}'."));
    }

    [TestCase(3000, TestName = "A_file_above_the_limit_names_the_key_that_raises_it")]
    [TestCase(1000, TestName = "Words_above_the_limit_name_the_key_that_raises_it")]
    public async Task A_text_above_the_limit_names_the_key_that_raises_it(int words)
    {
        var text = _files.Write("large", string.Join(' ', Enumerable.Repeat("a", words)));

        var run = await WordCountAsync(text, "--ServiceMesh:Request:MaxBodyBytes", "2500", "--Logging:LogLevel:Default", "None");

        Assert.That(run.ExitCode, Is.EqualTo(1), run.ToString);
        Assert.That(run.Out, Is.Empty);
        Assert.That(run.Error[^1], Does.Contain("413").And.Contain("ServiceMesh:Request:MaxBodyBytes"));
    }

    [Test]
    public async Task Each_service_sends_a_line_that_the_log_prints_on_stderr()
    {
        var run = await WordCountAsync(_files.Write("text", "one tree"));

        Assert.That(run.Error.Select(line => line.Split(':')[0]), Is.EquivalentTo(
        [
            "example.fetch", "example.words", "example.stopfilter", "example.count",
            "example.popular3", "example.popular4", "example.popular5",
        ]));
    }

    [Test]
    public async Task Without_an_argument_the_sample_counts_the_repository_around_it()
    {
        _files.Write("ServiceMesh.sln", "");
        _files.Write("notes.md", "tree tree tree tree");
        string[] documents =
        [
            _files.Write("README.md", "tree ant"), _files.Write("docs/a.md", "bush"), _files.Write("docs/deep/b.md", "bush ant"),
        ];

        var run = await SampleProcess.RunAsync("WordCount", [], Path.Combine(_files.Path, "docs", "deep"));

        Assert.That(run.Out, Is.EqualTo(["3 letters, 2 times: ant", "4 letters, 2 times: bush", "5 letters, 0 times:"]), run.ToString);
        Assert.That(run.Out, Is.EqualTo(await Coreutils.CountAsync(documents)));
    }

    [Test]
    public async Task Without_an_argument_elsewhere_the_sample_counts_its_own_repository()
    {
        string[] inRoot = ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE"];
        var docs = Directory.CreateDirectory(Path.Combine(SampleProcess.Repository, "docs"));
        var documents = inRoot.Select(name => Path.Combine(SampleProcess.Repository, name)).Where(File.Exists)
            .Concat(docs.EnumerateFiles("*.md", SearchOption.AllDirectories).Select(file => file.FullName));

        var run = await SampleProcess.RunAsync("WordCount", [], _files.Path);

        Assert.That(run.ExitCode, Is.Zero, run.ToString);
        Assert.That(run.Out, Is.EqualTo(await Coreutils.CountAsync(documents)));
    }

    [Test]
    public async Task A_client_without_a_server_reports_404_in_one_line()
    {
        var run = await WordCountAsync("any", "--Role", "Client");

        Assert.That(run.ExitCode, Is.EqualTo(1), run.ToString);
        Assert.That(run.OnlyError, Does.Contain("404").And.Contain("No node handles 'example.fetch'"));
    }

    [Test]
    public async Task A_server_stops_cleanly_when_it_is_terminated()
    {
        using var server = SampleProcess.Start("WordCount", ["--Role=Server", "--ServiceMesh:NodeName", "words"]);
        await server.WaitForErrorLineAsync("serves over InMemory");
        await server.TerminateAsync();

        var run = await server.EndAsync();

        Assert.That(run.ExitCode, Is.Zero, run.ToString);
        Assert.That(run.Out, Is.Empty);
        Assert.That(run.Error, Has.Length.EqualTo(2));
        Assert.That(run.Error[1], Does.Match("^Node 'words-.*' has stopped"));
    }

    [Test]
    public async Task An_interrupted_client_reports_it_and_ends()
    {
        using var web = WebServer.Silent();
        using var client = SampleProcess.Start("WordCount", [web.Url]);
        await web.Asked;
        await client.TerminateAsync();

        var run = await client.EndAsync();

        Assert.That(run.ExitCode, Is.EqualTo(130), run.ToString);
        Assert.That(run.Out, Is.Empty);
        Assert.That(run.OnlyError, Is.EqualTo("Interrupted."));
    }

    [TestCase("ServiceMesh:Trnsport is not a known key. Did you mean 'Transport'?", "--ServiceMesh:Trnsport", "InMemory")]
    [TestCase("ServiceMesh:Transport is 'Pigeon'; allowed here are:", "--ServiceMesh:Transport", "Pigeon")]
    [TestCase("ServiceMesh:Request:Timeout is 00:00:00; allowed are", "--ServiceMesh:Request:Timeout=0")]
    [TestCase("'abc' at 'ServiceMesh:Request:Timeout'", "--ServiceMesh:Request:Timeout", "abc")]
    [TestCase("Role is 'Boss'; allowed are: All, Server, Client, Redis.", "--Role", "Boss")]
    [TestCase("--Transport is not known.", "--Transport", "InMemory")]
    public async Task A_mistake_in_the_configuration_is_reported_in_one_line(string expected, params string[] args)
    {
        var run = await WordCountAsync(["any", .. args]);

        Assert.That(run.ExitCode, Is.EqualTo(2), run.ToString);
        Assert.That(run.Out, Is.Empty);
        Assert.That(run.OnlyError, Does.Contain(expected));
    }

    [Test]
    public async Task Environment_variables_configure_the_sample_too()
    {
        var run = await SampleProcess.RunAsync("WordCount", ["any"], null, ("ServiceMesh__Transport", "Pigeon"));

        Assert.That(run.ExitCode, Is.EqualTo(2), run.ToString);
        Assert.That(run.OnlyError, Does.Contain("'Pigeon'"));
    }

    private static Task<Run> WordCountAsync(params string[] args) => SampleProcess.RunAsync("WordCount", args);
}
