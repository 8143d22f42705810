namespace ServiceMesh.Http;

/// <summary>A session ended before the answer came: whether a handler ran is not known.</summary>
#pragma warning disable CA1032, CA1064 // Only the senders of this assembly create it, and it does not leave the assembly.
internal sealed class SessionLostException(string reason) : IOException(reason);
#pragma warning restore CA1032, CA1064
