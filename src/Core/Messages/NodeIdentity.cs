using System.Reflection;

namespace ServiceMesh;

/// <summary>Who a node is: its name, its id, and the ids of the messages that it sends. Thread-safe.</summary>
internal sealed class NodeIdentity
{
    private const int MaxSegment = 64;

    private long _lastMessage;

    /// <param name="name">What the service is called; null for the name of the program.</param>
    /// <param name="busName">The key of the bus in the container; empty for the one without.</param>
    public NodeIdentity(string? name, string busName = "")
    {
        Name = name ?? Assembly.GetEntryAssembly()?.GetName().Name ?? "node";
        Id = $"{Segment(Name)}-{Segment(Environment.MachineName)}-{Environment.ProcessId}-{Guid.NewGuid().ToString("N")[..8]}";
        FileName = Segment(busName.Length == 0 ? Name : $"{Name}-{busName}");
    }

    /// <summary>What the service is called; the same for its replicas.</summary>
    public string Name { get; }

    /// <summary>Unique among all nodes: name, host, process and a random part; a valid topic segment.</summary>
    public string Id { get; }

    /// <summary>The name of this node's files: the service, and the bus where there are several.</summary>
    public string FileName { get; }

    public MessageId NextMessageId() => new(Id, Interlocked.Increment(ref _lastMessage));

    private static string Segment(string text) =>
        string.Concat(text.Take(MaxSegment).Select(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' ? c : '-'));
}
