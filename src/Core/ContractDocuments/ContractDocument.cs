using System.Text.Json;
using System.Text.Json.Nodes;

namespace ServiceMesh;

/// <summary>
/// The contracts of a node as a document: its topics with the schemas of their types, in the format AsyncAPI 3. Commit it beside the
/// code, and a test that compares it with the code names each breaking change. Thread-safe.
/// </summary>
/// <remarks>
/// <c>GetServiceMeshContracts()</c> of a host's services makes the document; so does <c>--servicemesh-contracts FILE</c>.
/// </remarks>
/// <example>
/// <code source="samples/Snippets/EvolvingContracts.cs" region="compare" />
/// </example>
public static class ContractDocument
{
    /// <summary>The differences between two documents, in the order of their topics.</summary>
    /// <param name="committed">The document of the older contracts, which callers and senders still use.</param>
    /// <param name="current">The document of the newer contracts.</param>
    /// <returns>Every difference, breaking or not; those that break have <see cref="ContractChange.IsBreaking"/>.</returns>
    /// <exception cref="FormatException">One of the texts is not a document of contracts.</exception>
    public static IReadOnlyList<ContractChange> Compare(string committed, string current)
    {
        ArgumentNullException.ThrowIfNull(committed);
        ArgumentNullException.ThrowIfNull(current);
        return new ContractComparison(Parse(committed, "older"), Parse(current, "newer")).Changes();
    }

    private static JsonObject Parse(string text, string which)
    {
        try
        {
            return JsonNode.Parse(text) is JsonObject document && document["channels"] is JsonObject && document["asyncapi"] is not null
                ? document
                : throw new FormatException($"The {which} document of contracts is not an AsyncAPI document with channels.");
        }
        catch (JsonException failure)
        {
            throw new FormatException($"The {which} document of contracts is not JSON: {failure.Message}", failure);
        }
    }
}
