namespace ServiceMesh;

/// <summary>One difference between two documents of contracts. Immutable.</summary>
/// <param name="Topic">The topic or pattern.</param>
/// <param name="Path">
/// Where: <c>request</c>, <c>reply</c> or <c>signal</c>, and the member below it, as <c>request.Lines[].Amount</c>. Empty for the topic
/// itself.
/// </param>
/// <param name="Description">What changed, and what it does to those who still use the older contract.</param>
/// <param name="IsBreaking">
/// True when a node with the older contract and one with the newer may fail to understand each other.
/// </param>
public sealed record ContractChange(string Topic, string Path, string Description, bool IsBreaking)
{
    /// <inheritdoc/>
    public override string ToString() => $"{Topic}{(Path.Length == 0 ? "" : $": {Path}")}: {Description}";
}
