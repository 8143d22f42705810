using System.Globalization;
using System.Reflection;
using ServiceMesh.Http;
using ServiceMesh.Redis;

namespace ServiceMesh.Docs.Tests;

/// <summary>A key of the configuration, or an option that is set in code, with the facts of its property.</summary>
/// <param name="Name">The key below the section of the bus, with <c>NAME</c> for a name that the user chooses.</param>
/// <param name="Property">The property.</param>
/// <param name="Value">Its value in new options.</param>
internal sealed record OptionKey(string Name, PropertyInfo Property, object? Value)
{
    /// <summary>The keys of Core and of both transports, in the order of the properties.</summary>
    public static IReadOnlyList<OptionKey> All { get; } =
    [
        .. Of(new ServiceMeshOptions(), ""),
        .. Of(new InMemoryTransportOptions(), "InMemory:"),
        .. Of(new RedisTransportOptions(), "Redis:"),
        .. Of(new HttpTransportOptions(), "Http:"),
    ];

    public Type Type => Nullable.GetUnderlyingType(Property.PropertyType) ?? Property.PropertyType;

    public OptionRangeAttribute? Range => Property.GetCustomAttribute<OptionRangeAttribute>();

    /// <summary>The options of a class, including those of its sections.</summary>
    public static IEnumerable<OptionKey> Of(object options, string prefix) => options.GetType()
        .GetProperties(BindingFlags.Public | BindingFlags.Instance)
        .Where(p => p.CanWrite && !typeof(Delegate).IsAssignableFrom(p.PropertyType))
        .SelectMany(p => Of(p, p.GetValue(options), prefix + p.Name));

    /// <summary>Its row in a table: key, default, allowed values, meaning.</summary>
    public string Row() => $"| `{Name}` | {DefaultCell()} | {RangeCell()} | {XmlDocumentation.Meaning(this)} |";

    /// <summary>The default and the range in words, as the documentation of the property states them.</summary>
    public IEnumerable<string> StatedFacts()
    {
        if (Range is { } range)
        {
            yield return Words.Of(range);
        }

        if (Value is not null)
        {
            yield return $"Default: {Words.Of(Value)}";
        }
    }

    private static IEnumerable<OptionKey> Of(PropertyInfo property, object? value, string name) => value switch
    {
        Dictionary<string, HttpServiceOptions> => Of(new HttpServiceOptions(), $"{name}:NAME:"),
        IReadOnlyList<string> => [new($"{name}:NUMBER", property, null)],
        Dictionary<string, string> when property.Name == nameof(HttpServiceOptions.Endpoints) => [new($"{name}:ENDPOINT", property, null)],
        Dictionary<string, string> => [new($"{name}:TOPIC", property, null)],
        // The retry keys of one service are the same as those of all services.
        HttpRetryOptions when name.Contains("NAME", StringComparison.Ordinal) => [new($"{name}:*", property, null)],
        not null when IsSection(value.GetType()) => Of(value, $"{name}:"),
        _ => [new(name, property, value is "" ? null : value)],
    };

    private static bool IsSection(Type type) =>
        type.Namespace!.StartsWith("ServiceMesh", StringComparison.Ordinal) && type.Name.EndsWith("Options", StringComparison.Ordinal);

    private string DefaultCell() => Value is null ? XmlDocumentation.Default(this) : $"`{Words.InConfiguration(Value)}`";

    private string RangeCell() =>
        Range is { Max: null } open ? $"at least `{open.Min}`"
        : Range is { } range ? $"`{range.Min}` to `{range.Max}`"
        : Type == typeof(bool) ? "`true`, `false`"
        : Type.IsEnum ? string.Join(", ", Enum.GetNames(Type).Select(n => $"`{n}`"))
        : "";
}

/// <summary>Formats values in words, and as they are written in the configuration.</summary>
internal static class Words
{
    private static readonly (TimeSpan Unit, string One, string Many)[] s_units =
    [
        (TimeSpan.FromDays(1), "day", "days"), (TimeSpan.FromHours(1), "hour", "hours"), (TimeSpan.FromMinutes(1), "minute", "minutes"),
        (TimeSpan.FromSeconds(1), "second", "seconds"), (TimeSpan.FromMilliseconds(1), "ms", "ms"),
    ];

    public static string Of(OptionRangeAttribute range) =>
        range.Max is null ? $"At least {range.Min}"
        : range.IsTime ? $"{Of(Time(range.Min))} to {Of(Time(range.Max))}"
        : $"{Of(Number(range.Min))} to {Of(Number(range.Max))}";

    public static string Of(object value) => value switch
    {
        TimeSpan time => Of(time),
        int or double => Of(Convert.ToDouble(value, CultureInfo.InvariantCulture)),
        bool yes => yes ? "true" : "false",
        _ => $"`{value}`",
    };

    public static string InConfiguration(object value) => value switch
    {
        TimeSpan time => time.ToString("c", CultureInfo.InvariantCulture),
        bool yes => yes ? "true" : "false",
        _ => string.Create(CultureInfo.InvariantCulture, $"{value}"),
    };

    private static string Of(TimeSpan time)
    {
        if (time == TimeSpan.Zero)
        {
            return "0";
        }

        var (unit, one, many) = s_units.First(u => time >= u.Unit && time.Ticks % u.Unit.Ticks == 0);
        return time == unit ? $"1 {one}" : string.Create(CultureInfo.InvariantCulture, $"{time / unit} {many}");
    }

    private static string Of(double number) => number.ToString("#,##0.###", CultureInfo.InvariantCulture);

    private static TimeSpan Time(string text) => TimeSpan.Parse(text, CultureInfo.InvariantCulture);

    private static double Number(string text) => double.Parse(text, CultureInfo.InvariantCulture);
}
