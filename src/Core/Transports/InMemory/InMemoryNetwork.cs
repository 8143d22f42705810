using System.Collections.Concurrent;

namespace ServiceMesh;

/// <summary>
/// What nodes of the in-memory transport are connected by. Give the same network to several buses and they form one
/// mesh; each bus that is given none has one of its own. Thread-safe.
/// </summary>
public sealed class InMemoryNetwork
{
    internal ConcurrentDictionary<string, TransportContext> Nodes { get; } = new();

    internal SubscriptionTable Requests { get; } = new();

    internal SubscriptionTable Signals { get; } = new();

    internal SubscriptionTable TableOf(MessageKind kind) => kind == MessageKind.Request ? Requests : Signals;
}
