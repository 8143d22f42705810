using System.ComponentModel;
using System.Globalization;
using System.Reflection;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using NUnit.Framework;

namespace ServiceMesh.Docs.Tests;

/// <summary>The keys that the documents name are the keys that there are, with the defaults and ranges that they have.</summary>
public sealed partial class ConfigurationTests
{
    private static readonly RequestTopic<int, int> s_topic = new("docs.echo");

    private static Document Reference => Repository.Documents.Single(d => d.Path == "docs/configuration.md");

    private static IReadOnlyList<Row> Keys => Rows(Reference.Table("key"));

    private static IEnumerable<Block> Json => Repository.Documents.SelectMany(d => d.Blocks).Where(b => b.Language == "json");

    [Test]
    public void The_table_has_exactly_the_keys_of_the_options() =>
        Assert.That(Keys.Select(k => k.Name), Is.EqualTo(Properties(typeof(ServiceMeshOptions)).Select(p => p.Key)));

    [Test]
    public void The_table_has_the_defaults_of_the_options()
    {
        using (Assert.EnterMultipleScope())
        {
            foreach (var (key, type, value) in Properties(typeof(ServiceMeshOptions)))
            {
                var written = Keys.Single(k => k.Name == key).Default;
                if (value is not null)
                {
                    Assert.That(Read(Code(written).Single(), type), Is.EqualTo(value), key);
                }
                else
                {
                    Assert.That(written, Is.Not.Empty.And.Not.EqualTo("null"), $"{key} has no fixed default; the table says what happens");
                }
            }
        }
    }

    [Test]
    public void Every_key_accepts_the_ends_of_its_range_and_nothing_beyond()
    {
        var ranged = 0;
        foreach (var (key, type, _) in Properties(typeof(ServiceMeshOptions)))
        {
            if (Range(Keys.Single(k => k.Name == key).Allowed, type) is not { } range)
            {
                Assert.That(type, Is.Not.EqualTo(typeof(int)).And.Not.EqualTo(typeof(TimeSpan)), $"{key} needs a range");
                continue;
            }

            ranged++;
            Load((key, range.Min), (key, range.Max));
            foreach (var outside in new[] { range.Below, range.Above })
            {
                var failure = Assert.Throws<OptionsValidationException>(() => Load((key, outside)), $"{key} = {outside}");
                Assert.That(failure!.Message, Does.Contain($"ServiceMesh:{key}"));
            }
        }

        Assert.That(ranged, Is.GreaterThan(5));
    }

    [Test]
    public void The_table_names_every_error_policy() =>
        Assert.That(Code(Keys.Single(k => k.Name == "ErrorPolicy").Allowed), Is.EqualTo(Enum.GetNames<ErrorPolicy>()));

    [Test]
    public void The_tables_have_exactly_the_options_of_handlers_and_calls()
    {
        using (Assert.EnterMultipleScope())
        {
            Assert.That(HandlerRows.Select(r => r.Name), Is.EquivalentTo(typeof(HandlerOptions).GetProperties().Select(p => p.Name)));
            Assert.That(CallRows.Select(r => r.Name), Is.EquivalentTo(
                typeof(RequestOptions).GetProperties(BindingFlags.Public | BindingFlags.Instance).Select(p => p.Name)));
        }
    }

    [Test]
    public void Every_handler_option_accepts_the_ends_of_its_range_and_nothing_beyond()
    {
        var ranged = 0;
        foreach (var property in typeof(HandlerOptions).GetProperties())
        {
            var type = Nullable.GetUnderlyingType(property.PropertyType) ?? property.PropertyType;
            if (Range(HandlerRows.Single(r => r.Name == property.Name).Allowed, type) is not { } range)
            {
                continue;
            }

            ranged++;
            Add(range.Min);
            Add(range.Max);
            Assert.Throws<ArgumentException>(() => Add(range.Below), $"{property.Name} = {range.Below}");
            Assert.Throws<ArgumentException>(() => Add(range.Above), $"{property.Name} = {range.Above}");

            void Add(object value) => new ServiceCollection().AddServiceMesh().AddHandler(s_topic, (x, _) => x, o => property.SetValue(o, value));
        }

        Assert.That(ranged, Is.EqualTo(3));
    }

    [Test]
    public async Task The_timeout_of_a_call_accepts_the_ends_of_its_range_and_nothing_beyond()
    {
        var range = Range(CallRows.Single(r => r.Name == "Timeout").Allowed, typeof(TimeSpan))!.Value;
        var services = new ServiceCollection();
        services.AddServiceMesh().AddInMemoryTransport();
        await using var provider = services.BuildServiceProvider();
        var bus = provider.GetRequiredService<IServiceBus>();
        await AskAsync(range.Min);
        await AskAsync(range.Max);
        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(() => AskAsync(range.Below));
        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(() => AskAsync(range.Above));

        // The bus has not started, so a timeout that is accepted ends with a failure and not with an exception.
        Task<Reply<int>> AskAsync(object timeout) => bus.TryRequestAsync(s_topic, 1, new RequestOptions { Timeout = (TimeSpan)timeout });
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
    public void One_configuration_has_every_key()
    {
        using var document = JsonDocument.Parse(Reference.Blocks.First(b => b.Language == "json").Text);
        Assert.That(
            Leaves(document.RootElement.GetProperty("ServiceMesh"), ""),
            Is.EquivalentTo(Properties(typeof(ServiceMeshOptions)).Select(p => p.Key)));

        static IEnumerable<string> Leaves(JsonElement level, string path) => level.EnumerateObject().SelectMany(p =>
            p.Value.ValueKind == JsonValueKind.Object ? Leaves(p.Value, $"{path}{p.Name}:") : [path + p.Name]);
    }

    [Test]
    public void Keys_in_prose_exist()
    {
        var sections = Properties(typeof(ServiceMeshOptions)).Select(p => p.Key).ToArray();
        var named = Repository.Documents.SelectMany(d => d.Prose).SelectMany(l => KeyInProse().Matches(l)).Select(m => m.Groups[1].Value).Distinct();
        Assert.That(named.Except(sections), Is.Empty);
    }

    private static IReadOnlyList<Row> HandlerRows => Rows(Reference.Table("option", "## Options of one handler"));

    private static IReadOnlyList<Row> CallRows => Rows(Reference.Table("option", "## Options of one call"));

    private static IReadOnlyList<Row> Rows(IReadOnlyList<string[]> table) =>
        [.. table.Skip(1).Select(cells => new Row(Code(cells[0]).Single(), cells[1], cells[2]))];

    private static void Load(params (string Key, object Value)[] settings)
    {
        foreach (var (key, value) in settings)
        {
            var text = Convert.ToString(value, CultureInfo.InvariantCulture);
            Load(new ConfigurationBuilder().AddInMemoryCollection([KeyValuePair.Create($"ServiceMesh:{key}", text)]).Build());
        }
    }

    private static void Load(IConfiguration configuration)
    {
        var services = new ServiceCollection();
        services.AddServiceMesh(configuration.GetSection("ServiceMesh")).AddInMemoryTransport().AddRedisTransport().AddHttpTransport().AddMessagePackSerializer();
        using var provider = services.BuildServiceProvider();
        _ = provider.GetRequiredService<IServiceBus>();
    }

    /// <summary>The keys below a class of options, with type and default, in the order in which they are written there.</summary>
    private static IEnumerable<(string Key, Type Type, object? Default)> Properties(Type type) => Properties(Activator.CreateInstance(type)!, "");

    private static IEnumerable<(string Key, Type Type, object? Default)> Properties(object options, string prefix) =>
        options.GetType().GetProperties().SelectMany(p =>
            p.PropertyType is { IsClass: true } section && section != typeof(string)
                ? Properties(p.GetValue(options)!, $"{prefix}{p.Name}:")
                : [(prefix + p.Name, Nullable.GetUnderlyingType(p.PropertyType) ?? p.PropertyType, p.GetValue(options))]);

    private static (object Min, object Max, object Below, object Above)? Range(string allowed, Type type)
    {
        if (!RangeCell().IsMatch(allowed) || Code(allowed) is not [var min, var max])
        {
            return null;
        }

        return type == typeof(TimeSpan)
            ? (Read(min, type), Read(max, type), (TimeSpan)Read(min, type) - TimeSpan.FromTicks(1), (TimeSpan)Read(max, type) + TimeSpan.FromTicks(1))
            : (Read(min, type), Read(max, type), (int)Read(min, type) - 1, (int)Read(max, type) + 1);
    }

    private static object Read(string text, Type type) => TypeDescriptor.GetConverter(type).ConvertFromInvariantString(text)!;

    private static string[] Code(string cell) => [.. InlineCode().Matches(cell).Select(m => m.Groups[1].Value)];

    private sealed record Row(string Name, string Default, string Allowed);

    [GeneratedRegex("`([^`]+)`")]
    private static partial Regex InlineCode();

    [GeneratedRegex("^`[^`]+` to `[^`]+`$")]
    private static partial Regex RangeCell();

    [GeneratedRegex("`(?:ServiceMesh:)?((?:Request|Handler|Errors):[A-Za-z]+)`")]
    private static partial Regex KeyInProse();
}
