namespace ServiceMesh.Transports;

/// <summary>The transport cannot send. The message says why; the caller sees status 503.</summary>
public sealed class TransportException : Exception
{
    /// <summary>Says what could not be reached, and what to try.</summary>
    public TransportException(string message, Exception? innerException = null) : base(message, innerException) { }
}
