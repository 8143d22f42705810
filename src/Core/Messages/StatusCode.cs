namespace ServiceMesh;

/// <summary>
/// How a request ended. The numbers follow HTTP, and Gilmour where HTTP has none. A handler may answer with any other
/// number from 100 to 999; whatever is 300 or more is a failure.
/// </summary>
public enum StatusCode
{
    /// <summary>No status: never sent; what a wire reads as 0 means <see cref="Ok"/>.</summary>
    None = 0,

    /// <summary>Handled.</summary>
    Ok = 200,

    /// <summary>The body cannot be decoded as the handler's type.</summary>
    BadRequest = 400,

    /// <summary>The caller is not authenticated.</summary>
    Unauthorized = 401,

    /// <summary>The caller is known and not allowed.</summary>
    Forbidden = 403,

    /// <summary>No node handles the topic.</summary>
    NotFound = 404,

    /// <summary>The caller's deadline passed.</summary>
    DeadlinePassed = 408,

    /// <summary>A body is larger than the configured limit.</summary>
    BodyTooLarge = 413,

    /// <summary>The handler's concurrency and queue limits are full. The handler did not run: safe to retry.</summary>
    Overloaded = 429,

    /// <summary>The handler ran longer than its own timeout (Gilmour's code).</summary>
    HandlerTimeout = 499,

    /// <summary>The handler threw.</summary>
    HandlerFailed = 500,

    /// <summary>The transport, the node or every endpoint is unavailable.</summary>
    Unavailable = 503,
}

/// <summary>Questions to a <see cref="StatusCode"/>.</summary>
public static class StatusCodeExtensions
{
    extension(StatusCode status)
    {
        /// <summary>True for 300 and above: a failure that is reported and, for <c>RequestAsync</c>, thrown.</summary>
        public bool IsFailure => (int)status >= 300;
    }
}
