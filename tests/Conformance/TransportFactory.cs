namespace ServiceMesh.Conformance;

/// <summary>
/// All that the suite needs to know of a transport. One factory is made for each test and stands for one isolated
/// network: nodes that it configures reach each other and nothing else.
/// </summary>
public abstract class TransportFactory
{
    /// <summary>
    /// The capabilities that the transport should have. The suite compares them with those that the transport declares, and
    /// tests each one: with a feature its behaviour, without it the refusal at start.
    /// </summary>
    public abstract TransportCapabilities Capabilities { get; }

    /// <summary>
    /// The capabilities on this network, which may be fewer: for example, a transport may not know the receiver count on every
    /// server.
    /// </summary>
    public virtual TransportCapabilities CapabilitiesHere => Capabilities;

    /// <summary>
    /// False for a wire that can carry JSON only; such a transport must refuse other bodies with a typed failure.
    /// </summary>
    public virtual bool CarriesAnyBody => true;

    /// <summary>
    /// The serializer of all nodes, which is added to each and chosen by its name. JSON unless it is overridden: a second
    /// factory runs the suite with another one.
    /// </summary>
    public virtual IMessageSerializer Bodies { get; } = new JsonMessageSerializer();

    /// <summary>Makes the transport available to one node, connected to this factory's network.</summary>
    public abstract void AddTransport(IServiceMeshBuilder mesh);

    /// <summary>
    /// Configuration keys below <c>ServiceMesh</c> that every node needs: <c>Transport</c> at least, unless it is the
    /// default.
    /// </summary>
    /// <param name="node">The number of the node in its test, from 0, from which ports and names are derived.</param>
    public virtual IEnumerable<(string Key, string Value)> SettingsOf(int node) => [];

    /// <summary>Makes the network ready, before the first node starts.</summary>
    public virtual Task StartAsync() => Task.CompletedTask;

    /// <summary>Ends when the nodes that run know of each other. Called after each start and stop of a node.</summary>
    /// <param name="running">The nodes that run now.</param>
    public virtual Task SettleAsync(IReadOnlyList<MeshNode> running) => Task.CompletedTask;

    /// <summary>Removes whatever the network left behind, after the last node stopped.</summary>
    public virtual Task StopAsync() => Task.CompletedTask;
}
