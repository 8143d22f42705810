using System.Globalization;

namespace ServiceMesh.Transports;

/// <summary>
/// Names one message: the id of the node that sent it and a number that node never uses twice. Written as
/// <c>node.number</c>; the text is made only when it is read, because most messages are never named.
/// </summary>
/// <param name="Node">The sender's node id, or all of a foreign id when <paramref name="Number"/> is below zero.</param>
/// <param name="Number">Counts up within a node; -1 for an id that a foreign client made.</param>
public readonly record struct MessageId(string Node, long Number)
{
    /// <summary>
    /// By the number, which hardly two messages under way share; the node's long name would cost more than it tells apart.
    /// </summary>
    public override int GetHashCode() => Number < 0 ? Node.GetHashCode(StringComparison.Ordinal) : Number.GetHashCode();

    /// <inheritdoc/>
    public override string ToString() => Number < 0 ? Node : string.Create(CultureInfo.InvariantCulture, $"{Node}.{Number}");
}
