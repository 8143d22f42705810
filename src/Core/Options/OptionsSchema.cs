using System.Collections;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Reflection;
using Microsoft.Extensions.Configuration;

namespace ServiceMesh.Transports;

/// <summary>
/// The keys and ranges of a section, derived from the properties of its options class: each property that can be set is a key,
/// a property whose type was named by <see cref="With{TSection}"/> is a section of its own, and a dictionary has keys that the
/// user chooses. Delegates are for code and have no key. Built once, in a static field; immutable afterwards and thread-safe.
/// </summary>
/// <remarks>
/// The types are named one by one because trimming keeps the properties of the types that it can see:
/// <c>OptionsSchema.Of&lt;MyOptions&gt;().With&lt;MyRetryOptions&gt;()</c>.
/// </remarks>
public sealed class OptionsSchema
{
    private const DynamicallyAccessedMemberTypes Needed = DynamicallyAccessedMemberTypes.PublicProperties;

    /// <summary>The part of a key that stands for a name which the user chooses.</summary>
    internal const string AnyName = "*";

    private readonly Dictionary<Type, PropertyInfo[]> _sections = [];
    private readonly Type _root;
    private readonly Lazy<IReadOnlyList<string>> _keys;

    private OptionsSchema(Type root)
    {
        _root = root;
        _keys = new(() => [.. KeysOf(_root, "")]);
    }

    /// <summary>The keys, in the order of the properties: <c>:</c> between levels, <c>*</c> for a name that the user chooses.</summary>
    /// <exception cref="InvalidOperationException">
    /// A property has a type that is neither a value nor named by <see cref="With{TSection}"/>.
    /// </exception>
    public IReadOnlyList<string> Keys => _keys.Value;

    /// <summary>Begins with the options class of the whole section.</summary>
    public static OptionsSchema Of<[DynamicallyAccessedMembers(Needed)] TOptions>()
        where TOptions : class => new OptionsSchema(typeof(TOptions)).With<TOptions>();

    /// <summary>Names an options class that properties of this one have: a section below the section.</summary>
    public OptionsSchema With<[DynamicallyAccessedMembers(Needed)] TSection>()
        where TSection : class
    {
        _sections[typeof(TSection)] =
        [
            .. typeof(TSection).GetProperties(BindingFlags.Public | BindingFlags.Instance)
                .Where(p => p.SetMethod is { IsPublic: true } && !IsCode(p.PropertyType)),
        ];
        return this;
    }

    /// <summary>A sentence for each option that lies outside its <see cref="OptionRangeAttribute"/>, with key, value and range.</summary>
    /// <param name="section">Where the options were read from, for instance <c>ServiceMesh:Http</c>; empty for none.</param>
    /// <param name="options">An instance of the class that the schema began with.</param>
    public IEnumerable<string> OutOfRange(string section, object options)
    {
        ArgumentNullException.ThrowIfNull(section);
        ArgumentNullException.ThrowIfNull(options);
        return OutOfRange(_root, options, section);
    }

    /// <summary>
    /// A sentence for each text that .NET reads as something else than its writer meant: a time that is a number alone, which is a
    /// number of days, and two values where one of an enumeration is expected.
    /// </summary>
    /// <param name="section">What the options are read from; null for none.</param>
    public IEnumerable<string> Misread(IConfiguration? section) => section is null ? [] : Misread(_root, section);

    /// <summary>All that is wrong, each key once: one that was misread is most likely out of range too.</summary>
    internal static IEnumerable<string> Merge(IEnumerable<string> misread, IEnumerable<string> others)
    {
        string[] first = [.. misread];
        return [.. first, .. others.Where(problem => !Array.Exists(first, m => KeyOf(m) == KeyOf(problem)))];

        static string KeyOf(string problem) => problem.Split(" is ", 2)[0];
    }

    /// <summary>
    /// A sentence for each key of a section that is not known, with the nearest that is. A bus checks its own section and those
    /// of its transports by itself; this is for a section that no bus reads.
    /// </summary>
    /// <param name="section">The section; null for none.</param>
    public IReadOnlyList<string> UnknownKeys(IConfiguration? section) => [.. ServiceMesh.UnknownKeys.In(section, Keys)];

    /// <summary>Each option with its key and its value; those of dictionaries and lists are left out.</summary>
    internal IEnumerable<(string Key, object? Value)> Values(object options) => Values(_root, options, "");

    private IEnumerable<(string Key, object? Value)> Values(Type section, object options, string prefix) =>
        _sections[section].Where(p => ItemOf(p.PropertyType) is null).SelectMany(property =>
            property.GetValue(options) is { } value && _sections.ContainsKey(property.PropertyType)
                ? Values(property.PropertyType, value, $"{prefix}{property.Name}:")
                : [(prefix + property.Name, property.GetValue(options))]);

    private IEnumerable<string> KeysOf(Type section, string prefix) => _sections[section].SelectMany(property => KeysOf(property, prefix));

    private IEnumerable<string> KeysOf(PropertyInfo property, string prefix)
    {
        var (key, type) = (prefix + property.Name, property.PropertyType);
        if (ItemOf(type) is { } item)
        {
            return _sections.ContainsKey(item) ? KeysOf(item, $"{key}:{AnyName}:") : [$"{key}:{AnyName}"];
        }

        return _sections.ContainsKey(type) ? KeysOf(type, $"{key}:")
            : type.IsValueType || type == typeof(string) ? [key]
            : throw new InvalidOperationException(
                $"{property.DeclaringType?.Name}.{property.Name} is a {type.Name}: name it to the schema with With<{type.Name}>().");
    }

    private IEnumerable<string> OutOfRange(Type section, object options, string path)
    {
        foreach (var property in _sections[section])
        {
            var key = path.Length == 0 ? property.Name : $"{path}:{property.Name}";
            var value = property.GetValue(options);
            if (property.GetCustomAttribute<OptionRangeAttribute>()?.Problem(key, value) is { } problem)
            {
                yield return problem;
            }

            foreach (var below in Below(property.PropertyType, value, key))
            {
                yield return below;
            }
        }
    }

    private IEnumerable<string> Misread(Type type, IConfiguration section) =>
        _sections[type].SelectMany(property => Misread(property.PropertyType, section.GetSection(property.Name)));

    private IEnumerable<string> Misread(Type type, IConfigurationSection at) =>
        ItemOf(type) is { } item ? at.GetChildren().SelectMany(child => Misread(item, child))
        : _sections.ContainsKey(type) ? Misread(type, (IConfiguration)at)
        : MisreadValue(Nullable.GetUnderlyingType(type) ?? type, at.Value) is { } problem ? [$"{at.Path} is {problem}"]
        : [];

    private static string? MisreadValue(Type type, string? text)
    {
        if (type == typeof(TimeSpan))
        {
            return int.TryParse(text, NumberStyles.AllowLeadingWhite | NumberStyles.AllowTrailingWhite, CultureInfo.InvariantCulture,
                out var number) && number > 0
                ? $"'{text}', which is {number} days. Did you mean {TimeSpan.FromSeconds(number):c}? " +
                    "Times are written [days.]hours:minutes:seconds."
                : null;
        }

        return type.IsEnum && !type.IsDefined(typeof(FlagsAttribute), false) && text?.Contains(',', StringComparison.Ordinal) == true
            ? $"'{Printable(text)}', which are several values. Choose one of {string.Join(", ", Enum.GetNames(type))}."
            : null;

        static string Printable(string text) => text.Length <= 64 ? text : text[..64] + "…";
    }

    private IEnumerable<string> Below(Type type, object? value, string key)
    {
        if (value is IDictionary named && ItemOf(type) is { } item && _sections.ContainsKey(item))
        {
            return named.Keys.Cast<object>().Where(name => named[name] is not null)
                .SelectMany(name => OutOfRange(item, named[name]!, $"{key}:{name}"));
        }

        return value is not null && _sections.ContainsKey(type) ? OutOfRange(type, value, key) : [];
    }

    // What a dictionary or a list holds; null for what is neither.
    private static Type? ItemOf(Type type) =>
        type.IsArray ? type.GetElementType()
        : type.IsGenericType && typeof(IEnumerable).IsAssignableFrom(type) ? type.GetGenericArguments()[^1]
        : null;

    private static bool IsCode(Type type) => typeof(Delegate).IsAssignableFrom(type);
}
