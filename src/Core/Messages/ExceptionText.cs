namespace ServiceMesh;

/// <summary>
/// Exceptions of other people as text: bounded, and never throwing, which an overridden <c>Message</c> may do.
/// </summary>
internal static class ExceptionText
{
    public const int MaxBrief = 1024;
    public const int MaxFull = 8192;

    /// <summary>The type and the message, for callers.</summary>
    public static string Brief(Exception exception)
    {
        string message;
        try
        {
            message = exception.Message;
        }
        catch (Exception failure)
        {
            message = $"(its message could not be read: {failure.GetType().Name})";
        }

        return $"{exception.GetType().Name}: {Cut(message, MaxBrief)}";
    }

    /// <summary>Everything, with the stack, for reports; null for no exception.</summary>
    public static string? Full(Exception? exception)
    {
        try
        {
            return exception is null ? null : Cut(exception.ToString(), MaxFull);
        }
        catch (Exception failure)
        {
            return $"{exception!.GetType().FullName} (it could not be read: {failure.GetType().Name})";
        }
    }

    public static string Cut(string text, int max) => text.Length <= max ? text : text[..max] + "…";
}
