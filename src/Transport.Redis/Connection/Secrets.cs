namespace ServiceMesh.Redis;

/// <summary>
/// Keeps a password out of messages. A server that does not know a command repeats the beginning of its arguments, and those of
/// AUTH and HELLO are the password.
/// </summary>
internal static class Secrets
{
    private const string Arguments = "args beginning with";

    /// <summary>
    /// What a server said, without the arguments that it repeats. They may be cut short, so the text is cut and not searched.
    /// </summary>
    public static string WithoutArguments(string said) =>
        said.IndexOf(Arguments, StringComparison.OrdinalIgnoreCase) is >= 0 and var at ? $"{said[..at]}arguments that are not shown" : said;

    /// <summary>The exception, unless its texts contain the password or arguments that a server has repeated: then null.</summary>
    public static Exception? Unless(Exception failure, string? password)
    {
        var text = failure.ToString();
        return text.Contains(Arguments, StringComparison.OrdinalIgnoreCase)
            || (password is { Length: > 0 } && text.Contains(password, StringComparison.Ordinal))
            ? null
            : failure;
    }
}
