namespace ServiceMesh.Http;

/// <summary>
/// No server answered: all were silent, refused, or failed themselves. That says nothing about the name, so what was known of it stays.
/// </summary>
#pragma warning disable CA1032, CA1064 // Only the lookup makes one, and resolvers turn it into a result.
internal sealed class DnsLookupException(string message, Exception? innerException = null) : Exception(message, innerException);
#pragma warning restore CA1032, CA1064
