using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using NUnit.Framework;

namespace ServiceMesh.Docs.Tests;

/// <summary>
/// The tables of options are generated from the option types; with <c>UPDATE_SNIPPETS=1</c> in the environment the tests write
/// them. Keys elsewhere in the documents are compared with the same types.
/// </summary>
public sealed partial class ConfigurationTests
{
    private const string Path = "docs/configuration.md";

    private static readonly RequestTopic<int, int> s_topic = new("docs.echo");

    private static IEnumerable<OptionKey> Ranged => OptionKey.All.Where(k => k.Range is not null);

    private static IEnumerable<Block> Json => Repository.Documents.SelectMany(d => d.Blocks).Where(b => b.Language == "json");

    [TestCase("keys")]
    [TestCase("HandlerOptions")]
    [TestCase("RequestOptions")]
    public void The_table_of_options_is_generated_from_the_option_types(string table)
    {
        var (options, first) = table switch
        {
            "HandlerOptions" => (OptionKey.Of(new HandlerOptions(), ""), "option"),
            "RequestOptions" => (OptionKey.Of(new RequestOptions(), ""), "option"),
            _ => (OptionKey.All, "key"),
        };
        var rows = string.Join('\n', options.Select(o => o.Row()));
        var generated = $"| {first} | default | allowed | meaning |\n| --- | --- | --- | --- |\n{rows}";
        var text = File.ReadAllText(Repository.FullPath(Path));
        var written = Table(table).Match(text);
        Assert.That(written.Success, Is.True, $"{Path} has a place for the table '{table}'");
        if (Environment.GetEnvironmentVariable("UPDATE_SNIPPETS") == "1")
        {
            var update = $"<!-- table: {table} -->\n{generated}\n<!-- end -->";
            File.WriteAllText(Repository.FullPath(Path), text.Replace(written.Value, update, StringComparison.Ordinal));
            return;
        }

        Assert.That(written.Groups[1].Value.Trim(), Is.EqualTo(generated), "UPDATE_SNIPPETS=1 dotnet test tests/Docs.Tests writes it");
    }

    [Test]
    public void The_table_of_keys_has_exactly_the_keys_that_the_bus_knows()
    {
        using var provider = Services([]).BuildServiceProvider();
        var ofTheBus = OptionsSchema.Of<ServiceMeshOptions>()
            .With<ServiceMeshRequestOptions>().With<ServiceMeshHandlerOptions>().With<ServiceMeshErrorOptions>();
        var known = provider.GetKeyedServices<TransportRegistration>("").SelectMany(t => t.Keys.Select(k => $"{t.Name}:{k}"))
            .Concat(ofTheBus.Keys);
        var retry = OptionKey.Of(new Http.HttpRetryOptions(), "Http:Services:*:Retry:").Select(k => k.Name);
        var documented = OptionKey.All
            .Select(k => k.Name.Replace("NAME", "*", StringComparison.Ordinal).Replace("TOPIC", "*", StringComparison.Ordinal)
                .Replace("NUMBER", "*", StringComparison.Ordinal)
                .Replace("ENDPOINT", "*", StringComparison.Ordinal))
            .SelectMany(k => k == "Http:Services:*:Retry:*" ? retry : [k]);
        Assert.That(documented, Is.EquivalentTo(known));
    }

    [Test]
    public void The_documentation_of_each_option_states_its_range_and_its_default()
    {
        using (Assert.EnterMultipleScope())
        {
            foreach (var key in OptionKey.All.Concat(OptionKey.Of(new HandlerOptions(), "")).Concat(OptionKey.Of(new RequestOptions(), "")))
            {
                foreach (var fact in key.StatedFacts().Where(f => f != "Default: Empty" && key.Property.PropertyType != typeof(Headers)))
                {
                    Assert.That(XmlDocumentation.Summary(key), Does.Contain(fact), key.Name);
                }
            }
        }
    }

    [Test]
    public void Every_number_and_time_has_a_range() => Assert.That(
        OptionKey.All
            .Where(k => k.Range is null && (k.Type == typeof(int) || k.Type == typeof(double) || k.Type == typeof(TimeSpan)))
            .Select(k => k.Name),
        Is.Empty);

    [TestCaseSource(nameof(Ranged))]
    public void A_key_accepts_exactly_the_values_of_its_range(object option)
    {
        var key = (OptionKey)option;
        var path = $"ServiceMesh:{key.Name.Replace("NAME", "weather", StringComparison.Ordinal)} is";
        var range = key.Range!;
        using (Assert.EnterMultipleScope())
        {
            foreach (var end in new[] { range.Min, range.Max }.OfType<string>())
            {
                Assert.That(OutOfRange(end), Is.Null, $"{path} {end}"); // the value may still contradict another key
            }

            foreach (var beyond in Beyond(range, key.Type))
            {
                Assert.That(OutOfRange(beyond), Does.Contain(path).And.Contain(range.ToString()), $"{path} {beyond}");
            }
        }

        string? OutOfRange(string value)
        {
            try
            {
                var part = key.Name.Split(':')[0];
                var name = key.Name.Replace("NAME", "weather", StringComparison.Ordinal);
                Load([(name, value), ("Transport", part is "Redis" or "Http" ? part : "InMemory")]);
                return null;
            }
            catch (OptionsValidationException failure)
            {
                return failure.Failures.FirstOrDefault(f =>
                    f.StartsWith(path, StringComparison.Ordinal) && f.Contains(range.ToString(), StringComparison.Ordinal));
            }
        }
    }

    [Test]
    public void Every_handler_option_accepts_exactly_the_values_of_its_range()
    {
        OptionKey[] ranged = [.. OptionKey.Of(new HandlerOptions(), "").Where(o => o.Range is not null)];
        Assert.That(ranged, Has.Length.EqualTo(3));
        foreach (var option in ranged)
        {
            Add(option.Range!.Min);
            Add(option.Range!.Max!);
            foreach (var beyond in Beyond(option.Range, option.Type))
            {
                Assert.Throws<ArgumentException>(() => Add(beyond), $"{option.Name} = {beyond}");
            }

            void Add(string value) => new ServiceCollection().AddServiceMesh()
                .AddHandler(s_topic, (x, _) => x, o => option.Property.SetValue(o, Read(value, option.Type)));
        }
    }

    [Test]
    public async Task The_timeout_of_a_call_accepts_exactly_the_values_of_its_range()
    {
        var range = OptionKey.Of(new RequestOptions(), "").Single(o => o.Name == "Timeout").Range!;
        var services = new ServiceCollection();
        services.AddServiceMesh().AddInMemoryTransport();
        await using var provider = services.BuildServiceProvider();
        var bus = provider.GetRequiredService<IServiceBus>();
        await AskAsync(range.Min);
        await AskAsync(range.Max!);
        foreach (var beyond in Beyond(range, typeof(TimeSpan)))
        {
            await Assert.ThrowsAsync<ArgumentOutOfRangeException>(() => AskAsync(beyond));
        }

        // The bus has not started, so a call with a valid timeout returns a failure and does not throw.
        Task<Reply<int>> AskAsync(string timeout) =>
            bus.TryRequestAsync(s_topic, 1, new RequestOptions { Timeout = TimeSpan.Parse(timeout, CultureInfo.InvariantCulture) });
    }

    [Test]
    public void Every_configuration_in_the_documents_loads()
    {
        using (Assert.EnterMultipleScope())
        {
            Assert.That(Json, Is.Not.Empty);
            foreach (var block in Json)
            {
                using var stream = new MemoryStream(Encoding.UTF8.GetBytes(block.Text));
                var configuration = new ConfigurationBuilder().AddJsonStream(stream).Build();
                Assert.That(configuration.GetChildren().Select(c => c.Key), Is.EqualTo(["ServiceMesh"]), block.ToString());
                Assert.That(() => Load(configuration), Throws.Nothing, block.ToString());
            }
        }
    }

    [Test]
    public void Every_key_in_prose_exists()
    {
        // A document about HTTP may omit the name of the transport, and a document may name a section.
        var keys = OptionKey.All.Select(k => k.Name).ToArray();
        var known = keys.Concat(keys.Where(k => k.StartsWith("Http:", StringComparison.Ordinal)).Select(k => k["Http:".Length..]))
            .SelectMany(k => k.Split(':').Select((_, i) => string.Join(':', k.Split(':')[..(i + 1)]))).ToHashSet();
        var named =
            from document in Repository.Documents
            where document.Path.StartsWith("docs/", StringComparison.Ordinal)
            where !document.Path.StartsWith("docs/decisions/", StringComparison.Ordinal)
            from line in document.Prose
            from match in KeyInProse().Matches(line)
            where !known.Contains(match.Groups[1].Value)
            select $"{document}: {match.Groups[1].Value}";
        Assert.That(named, Is.Empty);
    }

    private static void Load(IEnumerable<(string Key, string Value)> settings) => Load(new ConfigurationBuilder().AddInMemoryCollection(
        settings.Select(s => KeyValuePair.Create<string, string?>($"ServiceMesh:{s.Key}", s.Value))).Build());

    private static void Load(IConfiguration configuration)
    {
        using var provider = Services(configuration.GetSection("ServiceMesh")).BuildServiceProvider();
        provider.GetRequiredService<IStartupValidator>().Validate();
        _ = provider.GetRequiredService<IServiceBus>();
    }

    private static ServiceCollection Services(IConfiguration? section)
    {
        var services = new ServiceCollection();
        services.AddServiceMesh(section).AddInMemoryTransport().AddRedisTransport().AddHttpTransport().AddMessagePackSerializer();
        return services;
    }

    private static ServiceCollection Services(IEnumerable<KeyValuePair<string, string?>> settings) =>
        Services(new ConfigurationBuilder().AddInMemoryCollection(settings).Build());

    private static IEnumerable<string> Beyond(OptionRangeAttribute range, Type type)
    {
        yield return Moved(range.Min, type, -1);
        if (range.Max is not null)
        {
            yield return Moved(range.Max, type, 1);
        }
    }

    // The next larger or smaller value.
    private static string Moved(string value, Type type, int direction)
    {
        var invariant = CultureInfo.InvariantCulture;
        return type == typeof(TimeSpan) ? (TimeSpan.Parse(value, invariant) + TimeSpan.FromTicks(direction)).ToString("c", invariant)
            : type == typeof(int) ? (int.Parse(value, invariant) + direction).ToString(invariant)
            : (double.Parse(value, invariant) + (direction * 0.001)).ToString(invariant);
    }

    private static object Read(string value, Type type) => type == typeof(TimeSpan)
        ? TimeSpan.Parse(value, CultureInfo.InvariantCulture)
        : int.Parse(value, CultureInfo.InvariantCulture);

    private static Regex Table(string name) => new($"<!-- table: {name} -->\n(.*?)<!-- end -->", RegexOptions.Singleline);

    private const string Sections =
        "Request|Handler|Errors|Redis|Http|Tls|Dns|Health|Timeouts|Retry|RetryBudget|CircuitBreaker|Ejection|Limits|HttpClients";

    [GeneratedRegex($"`(?:ServiceMesh:)?((?:{Sections}):[A-Za-z:]+)`")]
    private static partial Regex KeyInProse();
}
