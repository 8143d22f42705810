namespace ServiceMesh.Http;

/// <summary>When this node uses sessions with other nodes: one long HTTP/2 stream for many messages.</summary>
public enum HttpSessions
{
    /// <summary>Where the other node takes part, over TLS or h2c.</summary>
    Auto,

    /// <summary>Not at all: each message uses an exchange of its own.</summary>
    Never,
}
