namespace ServiceMesh.Samples;

/// <summary>A mistake of the user; its message is all that they need to see.</summary>
public sealed class UsageException(string message) : Exception(message);

/// <summary>
/// The arguments, taken apart: <c>--Key value</c> and <c>--Key=value</c> are configuration, what is left is the one
/// argument of the sample. Done here because .NET's command-line configuration would take <c>/usr/share/x</c> for a
/// switch, <c>a=b.txt</c> for a setting, and a misspelt key for one that somebody may read.
/// </summary>
/// <param name="Argument">What the sample is to work on; null when there is none.</param>
/// <param name="Settings">Each as <c>--Key=value</c>, for <c>HostApplicationBuilderSettings.Args</c>.</param>
/// <param name="AsksForHelp">True for <c>--help</c>, <c>-h</c> and <c>-?</c>.</param>
public sealed record CommandLine(string? Argument, string[] Settings, bool AsksForHelp)
{
    private static readonly string[] s_sections = ["ServiceMesh", "Logging"];

    /// <exception cref="UsageException">Something is misspelt, missing or too much.</exception>
    public static CommandLine Parse(string[] args)
    {
        var settings = new List<string>();
        var arguments = new List<string>();
        for (var i = 0; i < args.Length; i++)
        {
            switch (args[i])
            {
                case "--help" or "-h" or "-?":
                    return new(null, [], AsksForHelp: true);
                case "--":
                    arguments.AddRange(args[(i + 1)..]);
                    i = args.Length;
                    break;
                case ['-', '-', .. var setting] when setting.Contains('='):
                    settings.Add($"--{KnownKey(setting[..setting.IndexOf('=')])}{setting[setting.IndexOf('=')..]}");
                    break;
                case ['-', '-', .. var key]:
                    var value = i + 1 < args.Length && !args[i + 1].StartsWith("--", StringComparison.Ordinal) ? args[++i] : null;
                    settings.Add($"--{KnownKey(key)}={value ?? throw new UsageException($"--{key} needs a value: --{key} VALUE.")}");
                    break;
                case ['-', ..]:
                    throw new UsageException($"'{args[i]}' is not known. Switches are written --Key value; a name that begins with '-' goes after '--'.");
                default:
                    arguments.Add(args[i]);
                    break;
            }
        }

        return arguments switch
        {
            [] => new(null, [.. settings], false),
            [""] => throw new UsageException("The argument is empty."),
            [var one] => new(one, [.. settings], false),
            _ => throw new UsageException($"One argument is enough; these are {arguments.Count}: {string.Join(", ", arguments.Select(a => $"'{a}'"))}."),
        };
    }

    private static string KnownKey(string key) =>
        key.Equals("Role", StringComparison.OrdinalIgnoreCase)
        || s_sections.Any(s => key.StartsWith($"{s}:", StringComparison.OrdinalIgnoreCase))
            ? key
            : throw new UsageException($"--{key} is not known. There are --Role and the keys of {string.Join(" and ", s_sections)}, such as --ServiceMesh:Transport.");
}
