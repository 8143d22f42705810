namespace ServiceMesh.Samples;

/// <summary>What one process of a sample does: <c>--Role All|Server|Client</c>.</summary>
public enum Role
{
    /// <summary>Serves and calls itself. The default.</summary>
    All,

    /// <summary>Serves until Ctrl-C or SIGTERM, then drains.</summary>
    Server,

    /// <summary>Calls services of other processes.</summary>
    Client,
}
