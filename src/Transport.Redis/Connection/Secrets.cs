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

    /// <summary>What code of the application failed with, as one line that may be logged.</summary>
    public static string Told(Exception failure) => RepeatsSettings(failure)
        ? $"{failure.GetType().Name}, with a text that may repeat a password and is not shown. Check the connection string."
        : Printable.Line(WithoutArguments(failure.Message));

    /// <summary>
    /// The exception, unless its texts contain the password or arguments that a server has repeated, or may repeat a part of the
    /// connection string: then null.
    /// </summary>
    public static Exception? Unless(Exception failure, string? password)
    {
        var text = failure.ToString();
        return RepeatsSettings(failure)
            || text.Contains(Arguments, StringComparison.OrdinalIgnoreCase)
            || (password is { Length: > 0 } && text.Contains(password, StringComparison.Ordinal))
            ? null
            : failure;
    }

    // The client names what it cannot read in a connection string, which may be the rest of a password with a comma.
    private static bool RepeatsSettings(Exception failure) =>
        failure is ArgumentException or FormatException
        || (failure is AggregateException all && all.InnerExceptions.Any(RepeatsSettings))
        || (failure.InnerException is { } inner && RepeatsSettings(inner));
}
