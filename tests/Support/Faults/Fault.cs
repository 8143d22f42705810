namespace ServiceMesh.Support;

/// <summary>The ways in which a <see cref="FaultServer"/> can be broken.</summary>
public enum Fault
{
    /// <summary>It answers.</summary>
    None,

    /// <summary>Nobody listens on its port, and its connections are reset: a process that was killed.</summary>
    Refused,

    /// <summary>Connections are accepted and requests never answered; their bodies are not read.</summary>
    BlackHole,

    /// <summary>Connections are not even accepted: what asks for one gets no packet back. Those that were open are reset.</summary>
    BlackHoleConnect,

    /// <summary>The request is executed; then the connection is reset, without an answer.</summary>
    ResetBeforeAnswer,

    /// <summary>The request is executed; then the connection is closed in good order, without an answer, as if it had been unused for too long.</summary>
    CloseBeforeAnswer,

    /// <summary>The request is executed; the connection is reset after the headers and half of the body.</summary>
    ResetMidBody,

    /// <summary>The request is executed; the answer comes after <see cref="FaultServer.Pause"/>.</summary>
    SlowHeaders,

    /// <summary>The request is executed; the headers come, and then a tenth of the body after each <see cref="FaultServer.Pause"/>.</summary>
    SlowBody,

    /// <summary>The request is executed, and the answer is 500 with problem details.</summary>
    Status500,

    /// <summary>The request is executed, and the answer is 503 with <c>Retry-After:</c> <see cref="FaultServer.RetryAfter"/>.</summary>
    Status503,

    /// <summary>The request is executed, and the answer is a proxy's: 502 with a web page.</summary>
    HtmlErrorPage,

    /// <summary>The request is executed, and the answer is 200 with a web page where JSON is wanted.</summary>
    HtmlOk,
}
