namespace ServiceMesh.Http;

/// <summary>No server could answer: all were silent, refused, or failed themselves. It says nothing about the name.</summary>
public sealed class DnsException : IOException
{
    /// <summary>Makes one with a message that names what was asked, of whom, and what came back.</summary>
    public DnsException(string message) : base(message) { }

    /// <summary>Makes one with a message and what caused it.</summary>
    public DnsException(string message, Exception? innerException) : base(message, innerException) { }

    /// <summary>Makes one without a message.</summary>
    public DnsException() { }
}
