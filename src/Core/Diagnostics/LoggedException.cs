using System.Text;

namespace ServiceMesh;

/// <summary>
/// Stands in a log for an exception whose text has line breaks or other control characters, or cannot be read: a caller that puts
/// a line break into a request could otherwise write log lines of its own. Only the lines of the stack stay lines.
/// </summary>
internal sealed class LoggedException : Exception
{
    private const int MaxDepth = 8;
    private const int MaxParts = 16;

    private readonly string _text;

    private LoggedException(string message, string text)
        : base(message) => _text = text;

    /// <summary>The exception itself when all of its texts are fit for a log, as nearly all are.</summary>
    public static Exception? Of(Exception? exception) =>
        exception is null || IsFit(exception, 0) ? exception : new LoggedException(MessageOf(exception), TextOf(exception));

    /// <summary>Type, message and stack of the exception and of those within it, as the platform writes them.</summary>
    public override string ToString() => _text;

    private static bool IsFit(Exception exception, int depth)
    {
        try
        {
            return depth < MaxDepth
                && Printable.IsFit(exception.Message)
                && Printable.IsFitStack(exception.StackTrace)
                && Inner(exception).All(inner => IsFit(inner, depth + 1))
                // A type may write itself as it likes. Its first lines are checked above when it does not.
                && (depth > 0 || Printable.IsFitStack(exception.ToString()));
        }
        catch (Exception)
        {
            return false;
        }
    }

    private static string TextOf(Exception exception)
    {
        var text = new StringBuilder();
        Append(text, exception, 0);
        return text.ToString();
    }

    private static void Append(StringBuilder text, Exception exception, int depth)
    {
        text.Append(exception.GetType().FullName).Append(": ").Append(MessageOf(exception));
        if (depth + 1 < MaxDepth)
        {
            foreach (var inner in Inner(exception))
            {
                text.AppendLine().Append(" ---> ");
                Append(text, inner, depth + 1);
                text.AppendLine().Append("   --- End of inner exception stack trace ---");
            }
        }

        foreach (var line in StackOf(exception))
        {
            text.AppendLine().Append("   ").Append(Printable.Detail(line.Trim()));
        }
    }

    private static IEnumerable<Exception> Inner(Exception exception) => exception is AggregateException many
        ? many.InnerExceptions.Take(MaxParts)
        : exception.InnerException is { } inner ? [inner] : [];

    private static string MessageOf(Exception exception)
    {
        try
        {
            return Printable.Detail(exception.Message);
        }
        catch (Exception failure)
        {
            return $"(its message could not be read: {failure.GetType().Name})";
        }
    }

    private static string[] StackOf(Exception exception)
    {
        try
        {
            return (exception.StackTrace ?? "").Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        }
        catch (Exception)
        {
            return [];
        }
    }
}
