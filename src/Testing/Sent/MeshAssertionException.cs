using System.Text;

namespace ServiceMesh.Testing;

/// <summary>
/// What a test expected of a bus did not happen. The message says what was expected, and lists what was sent.
/// </summary>
public sealed class MeshAssertionException : Exception
{
    private const int ShownMessages = 50;

    private MeshAssertionException(string message) : base(message) { }

    internal static MeshAssertionException Of(string expectation, IReadOnlyList<SentMessage> sent)
    {
        var text = new StringBuilder(expectation).AppendLine();
        if (sent.Count == 0)
        {
            return new(text.Append("Nothing was sent.").ToString());
        }

        text.Append("Sent were:");
        foreach (var message in sent.Take(ShownMessages))
        {
            text.AppendLine().Append("  ").Append(message);
        }

        if (sent.Count > ShownMessages)
        {
            text.AppendLine().Append("  and ").Append(sent.Count - ShownMessages).Append(" more");
        }

        return new(text.ToString());
    }
}
