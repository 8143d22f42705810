using System.Globalization;

namespace ServiceMesh.Http;

/// <summary>What the headers of an HTTP response say about its endpoint and about the request. Pure.</summary>
internal static class ResponseHeaders
{
    /// <summary>Whether a node sent the response, and not a server or proxy that is not part of the mesh.</summary>
    public static bool IsFromNode(HttpResponseMessage response) => response.Headers.NonValidated.Contains(MeshHeader.Status);

    /// <summary>Whether the response says that nothing ran.</summary>
    public static bool IsNotProcessed(HttpResponseMessage response) =>
        response.Headers.NonValidated.TryGetValues(MeshHeader.NotProcessed, out var said) && said.ToString() == "1";

    /// <summary>Takes over the load that the server reports, if it does.</summary>
    public static void LearnLoad(HttpResponseMessage response, Endpoint endpoint)
    {
        if (response.Headers.NonValidated.TryGetValues(MeshHeader.Load, out var said)
            && double.TryParse(said.ToString(), NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var load))
        {
            endpoint.ReportedLoad = load;
        }
    }
}
