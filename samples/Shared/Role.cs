namespace ServiceMesh.Samples;

/// <summary>What one process of a sample does: <c>--Role All|Server|Client|Redis</c>.</summary>
public enum Role
{
    /// <summary>Serves and calls itself. The default.</summary>
    All,

    /// <summary>Serves until Ctrl-C or SIGTERM, then drains.</summary>
    Server,

    /// <summary>Calls services of other processes.</summary>
    Client,

    /// <summary>Is the Redis server between them, in samples that bring one.</summary>
    Redis,
}
