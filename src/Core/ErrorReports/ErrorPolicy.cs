namespace ServiceMesh;

/// <summary>What becomes of the report that every failure (status 300 or more) makes once.</summary>
public enum ErrorPolicy
{
    /// <summary>Sent as a signal on <see cref="MeshTopics.Errors"/>.</summary>
    Publish,

    /// <summary>Put into the bounded <see cref="IErrorQueue"/>, which operators read and drain.</summary>
    Queue,

    /// <summary>Dropped. The log line and the metric stay.</summary>
    Ignore,
}
