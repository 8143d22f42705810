namespace ServiceMesh.Samples;

/// <summary>A mistake of the user. The sample prints only the message.</summary>
public sealed class UsageException(string message) : Exception(message);

/// <summary>
/// The parsed arguments: <c>--Key value</c> and <c>--Key=value</c> are configuration, and the rest is the one
/// argument of the sample. The command-line configuration of .NET is not used, because it would read <c>/usr/share/x</c> as a
/// switch and <c>a=b.txt</c> as a setting, and would accept a misspelt key.
/// </summary>
/// <param name="Argument">The argument of the sample; null when it is missing.</param>
/// <param name="Settings">Each as <c>--Key=value</c>, for <c>HostApplicationBuilderSettings.Args</c>.</param>
/// <param name="AsksForHelp">True for <c>--help</c>, <c>-h</c> and <c>-?</c>.</param>
public sealed record CommandLine(string? Argument, string[] Settings, bool AsksForHelp)
{
    private static readonly string[] s_sections = ["ServiceMesh", "Logging"];

    /// <exception cref="UsageException">An argument is unknown, incomplete or superfluous.</exception>
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
                    throw new UsageException(
                        $"'{args[i]}' is not known. Write a switch as --Key value, and a name that begins with '-' after '--'.");
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
            _ => throw new UsageException(
                $"The sample takes one argument, and there are {arguments.Count}: {string.Join(", ", arguments.Select(a => $"'{a}'"))}."),
        };
    }

    private static string KnownKey(string key) =>
        key.Equals("Role", StringComparison.OrdinalIgnoreCase)
        || s_sections.Any(s => key.StartsWith($"{s}:", StringComparison.OrdinalIgnoreCase))
            ? key
            : throw new UsageException(
                $"--{key} is not known. Known are --Role and keys of {string.Join(" and ", s_sections)}, such as --ServiceMesh:Transport.");
}
