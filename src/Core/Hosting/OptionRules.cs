using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace ServiceMesh.Transports;

/// <summary>
/// The rules that options of all sections share, beside their ranges. Each gives a sentence for what is wrong, with the key and
/// what to do, and null for what is right.
/// </summary>
public static class OptionRules
{
    /// <summary>
    /// Whether a transport is the one that a bus runs: options of the others are not used, so a section that is only right on
    /// another machine does not stop the start. For an <see cref="IValidateOptions{TOptions}"/>.
    /// </summary>
    /// <param name="provider">The container.</param>
    /// <param name="busName">The key of the bus.</param>
    /// <param name="transport">The name of the transport.</param>
    /// <param name="options">The options of the bus, which are not checked yet.</param>
    public static bool IsChosen(IServiceProvider provider, string busName, string transport, out ServiceMeshOptions options)
    {
        ArgumentNullException.ThrowIfNull(provider);
        ArgumentNullException.ThrowIfNull(transport);

        // Not from the monitor, which throws when the options of the bus are wrong: all that is wrong is to be said at once.
        var factory = new OptionsFactory<ServiceMeshOptions>(
            provider.GetServices<IConfigureOptions<ServiceMeshOptions>>(),
            provider.GetServices<IPostConfigureOptions<ServiceMeshOptions>>());
        options = factory.Create(busName);
        return transport.Equals(options.Transport, StringComparison.OrdinalIgnoreCase);
    }

    /// <summary>One of a few names, without regard to case.</summary>
    /// <param name="key">The key, with its section.</param>
    /// <param name="value">What it is set to.</param>
    /// <param name="allowed">The names.</param>
    /// <param name="advice">What to do when none of them is near.</param>
    public static string? OneOf(string key, string? value, IReadOnlyCollection<string> allowed, string advice)
    {
        ArgumentNullException.ThrowIfNull(allowed);
        if (allowed.Contains(value, StringComparer.OrdinalIgnoreCase))
        {
            return null;
        }

        var near = UnknownKeys.Nearest(value ?? "", allowed);
        return $"{key} is '{value}'; allowed here are: {string.Join(", ", allowed)}. {(near is null ? advice : $"Did you mean '{near}'?")}";
    }

    /// <summary>A value of an enumeration; a number that is not a value of it can be written in configuration too.</summary>
    /// <param name="key">The key, with its section.</param>
    /// <param name="value">What it is set to.</param>
    public static string? Defined<T>(string key, T value)
        where T : struct, Enum => Enum.IsDefined(value) ? null : $"{key} is {value}; allowed are {string.Join(", ", Enum.GetNames<T>())}.";

    /// <summary>A value that must not be more than another one.</summary>
    /// <param name="key">The key, with its section.</param>
    /// <param name="value">What it is set to.</param>
    /// <param name="otherKey">The key of the other.</param>
    /// <param name="other">What that is set to.</param>
    public static string? NotMore<T>(string key, T value, string otherKey, T other)
        where T : struct, IComparable<T>, IFormattable =>
        value.CompareTo(other) <= 0
            ? null
            : FormattableString.Invariant($"{key} is {value}, and {otherKey} is {other}; the first must not be more.");

    /// <summary>A text that must be readable.</summary>
    /// <param name="key">The key, with its section.</param>
    /// <param name="read">Reads it; a <see cref="FormatException"/> says what is wrong with it.</param>
    public static string? Readable(string key, Action read)
    {
        ArgumentNullException.ThrowIfNull(read);
        try
        {
            read();
            return null;
        }
        catch (FormatException failure)
        {
            return $"{key}: {failure.Message}";
        }
    }
}
