namespace ServiceMesh.Http;

/// <summary>A packet is no DNS message. The only thing that reading one throws.</summary>
internal sealed class DnsFormatException(string message) : Exception(message);
