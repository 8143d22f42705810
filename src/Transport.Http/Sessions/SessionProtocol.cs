using ServiceMesh.Links;

namespace ServiceMesh.Http;

/// <summary>The constants of a session, which both of its ends share: see <c>docs/wire.md</c>.</summary>
internal static class SessionProtocol
{
    public const string Path = "/mesh/v1/session";

    public const string ContentType = "application/vnd.servicemesh.frames";

    /// <summary>Larger messages use an exchange of their own, so that they do not hold up the others.</summary>
    public const int MaxMessageBytes = 64 * 1024;

    /// <summary>The longest frame of a caller: a message, its headers and names.</summary>
    public const int MaxCallerFrameBytes = MaxMessageBytes + (2 * WireFormat.MaxFieldBytes);

    /// <summary>The load in a frame is in thousandths: 1000 is full.</summary>
    public const int LoadUnit = 1000;

    /// <summary>How long the requests that run when a session ends may go on, within their own deadlines.</summary>
    public static readonly TimeSpan RunLimit = TimeSpan.FromMinutes(1);

    /// <summary>How long an end that is asked to leave may take before the session is broken off.</summary>
    public static readonly TimeSpan LeaveLimit = TimeSpan.FromSeconds(2);

    /// <summary>The longest frame of a node that answers.</summary>
    public static int MaxAnswerFrameBytes(int maxBodyBytes) =>
        maxBodyBytes + WireFormat.MaxFieldBytes + (2 * WireFormat.MaxErrorBytes);

    /// <summary>
    /// The bounds of the links of sessions. Each end asks the other one after a second of silence, and waits for two more.
    /// </summary>
    public static LinkOptions LinkOptions(int maxBodyBytes) => new()
    {
        MaxBodyBytes = maxBodyBytes,
        MaxBatchBytes = 64 * 1024,
        PingsWhenIdle = true,
        EndsAtDeadline = false,
        SignalMemory = Timeout.InfiniteTimeSpan,
    };
}
