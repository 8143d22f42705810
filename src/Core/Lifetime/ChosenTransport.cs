namespace ServiceMesh;

/// <summary>The transport that a bus runs.</summary>
/// <param name="Transport">The transport.</param>
/// <param name="Name">The name by which the configuration chose it.</param>
internal sealed record ChosenTransport(ITransport Transport, string Name);

/// <summary>What was registered before the start.</summary>
/// <param name="Handlers">Every handler of the application.</param>
/// <param name="Required">What the application said it needs of the transport.</param>
internal sealed record Registrations(IReadOnlyList<HandlerDefinition> Handlers, TransportFeatures Required);
