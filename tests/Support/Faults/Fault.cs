namespace ServiceMesh.Support;

/// <summary>The ways in which a <see cref="FaultServer"/> can be broken.</summary>
public enum Fault
{
    /// <summary>It answers normally.</summary>
    None,

    /// <summary>Its port refuses connections, and open connections are reset: a process that was killed.</summary>
    Refused,

    /// <summary>Connections are accepted; requests are never answered and their bodies are not read.</summary>
    BlackHole,

    /// <summary>Connections are not accepted: a client gets no packet back. Open connections are reset.</summary>
    BlackHoleConnect,

    /// <summary>The request is executed; then the connection is reset, without an answer.</summary>
    ResetBeforeAnswer,

    /// <summary>
    /// The request is executed; then the connection is closed properly, without an answer, as if it had been idle for too long.
    /// </summary>
    CloseBeforeAnswer,

    /// <summary>The request is executed; the connection is reset after the headers and half of the body.</summary>
    ResetMidBody,

    /// <summary>The request is executed; the answer comes after <see cref="FaultServer.Pause"/>.</summary>
    SlowHeaders,

    /// <summary>
    /// The request is executed; the headers are sent, and then a tenth of the body after each <see cref="FaultServer.Pause"/>.
    /// </summary>
    SlowBody,

    /// <summary>The request is executed, and the answer is 500 with problem details.</summary>
    Status500,

    /// <summary>The request is executed, and the answer is 503 with <c>Retry-After:</c> <see cref="FaultServer.RetryAfter"/>.</summary>
    Status503,

    /// <summary>The request is executed, and the answer is that of a proxy: 502 with a web page.</summary>
    HtmlErrorPage,

    /// <summary>The request is executed, and the answer is 200 with a web page instead of JSON.</summary>
    HtmlOk,
}
