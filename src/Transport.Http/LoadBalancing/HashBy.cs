namespace ServiceMesh.Http;

/// <summary>What the balancer <c>ConsistentHash</c> hashes of a message or request.</summary>
public enum HashBy
{
    /// <summary>The value of a header. A message without it goes to a random endpoint.</summary>
    Header,

    /// <summary>
    /// The path with its query: equal URLs go to the same endpoint. On the bus it is the path that the topic is posted to.
    /// </summary>
    Path,

    /// <summary>The topic: equal topics go to the same endpoint. A request of an HttpClient has no topic, and its path is taken.</summary>
    Topic,
}
