using System.ComponentModel;
using System.Globalization;
using System.Text.RegularExpressions;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using NUnit.Framework;
using ServiceMesh.Http;

namespace ServiceMesh.Docs.Tests;

/// <summary>The keys of the HTTP transport that its document names are those that there are, with their defaults and ranges.</summary>
public sealed partial class HttpConfigurationTests
{
    private static IReadOnlyList<string[]> Rows =>
        [.. Repository.Documents.Single(d => d.Path == "docs/http.md").Table("key", "## Keys").Skip(1)];

    private static IEnumerable<(string Key, Type Type, object? Default)> Properties =>
        Below(new HttpTransportOptions { Services = { ["NAME"] = new() { Topics = { ["TOPIC"] = "" } } } }, "");

    [Test]
    public void The_table_has_exactly_the_keys_of_the_options_in_their_order() =>
        Assert.That(Rows.Select(r => Code(r[0])), Is.EqualTo(Properties.Select(p => p.Key)));

    [Test]
    public void The_table_has_the_defaults_of_the_options()
    {
        using (Assert.EnterMultipleScope())
        {
            foreach (var (key, type, value) in Properties.Where(p => p.Default is not null and not ""))
            {
                var written = Code(Rows.Single(r => Code(r[0]) == key)[1]);
                Assert.That(TypeDescriptor.GetConverter(type).ConvertFromInvariantString(written), Is.EqualTo(value), key);
            }
        }
    }

    [Test]
    public void Every_time_accepts_the_ends_of_its_range_and_nothing_beyond()
    {
        foreach (var row in Rows.Where(r => Range().IsMatch(r[2])))
        {
            var key = $"ServiceMesh:Http:{Code(row[0])}";
            var (least, most) = (TimeSpan.Parse(Range().Match(row[2]).Groups[1].Value, CultureInfo.InvariantCulture), TimeSpan.Parse(Range().Match(row[2]).Groups[2].Value, CultureInfo.InvariantCulture));
            Load(key, least);
            Load(key, most);
            Assert.That(() => Load(key, least - TimeSpan.FromTicks(1)), Throws.InvalidOperationException.With.Message.Contains(key));
            Assert.That(() => Load(key, most + TimeSpan.FromTicks(1)), Throws.InvalidOperationException.With.Message.Contains(key));
        }
    }

    private static void Load(string key, TimeSpan value)
    {
        var services = new ServiceCollection();
        var configuration = new ConfigurationBuilder().AddInMemoryCollection([new("ServiceMesh:Transport", "Http"), new(key, value.ToString("c", CultureInfo.InvariantCulture))]).Build();
        services.AddServiceMesh(configuration.GetSection("ServiceMesh")).AddHttpTransport();
        using var provider = services.BuildServiceProvider();
        _ = provider.GetRequiredService<IServiceBus>();
    }

    private static IEnumerable<(string Key, Type Type, object? Default)> Below(object options, string prefix) => options switch
    {
        Dictionary<string, HttpServiceOptions> services => services.SelectMany(s => Below(s.Value, $"{prefix}{s.Key}:")),
        Dictionary<string, string> texts => texts.Select(t => ($"{prefix}{t.Key}", typeof(string), (object?)null)),
        _ => options.GetType().GetProperties().SelectMany(p => p.PropertyType is { IsClass: true } section && section != typeof(string)
            ? Below(p.GetValue(options)!, $"{prefix}{p.Name}:")
            : [(prefix + p.Name, p.PropertyType, p.GetValue(options))]),
    };

    private static string Code(string cell) => InlineCode().Match(cell).Groups[1].Value;

    [GeneratedRegex("`([^`]+)`")]
    private static partial Regex InlineCode();

    [GeneratedRegex("^`([^`]+)` to `([^`]+)`$")]
    private static partial Regex Range();
}
