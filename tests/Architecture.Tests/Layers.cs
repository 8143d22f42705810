namespace ServiceMesh.Architecture.Tests;

/// <summary>
/// The allowed order of the folders of each project, the highest first: a folder may use those that stand below it. A new
/// folder is added here, at the place where it belongs.
/// </summary>
internal static class Layers
{
    public static readonly IReadOnlyList<string> Core =
    [
        "Hosting",       // dependency injection and options
        "Health",
        FolderGraph.Root, // ServiceBus
        "Lifetime",
        "Sending",
        "Links",
        "Transports",
        "Receiving",
        "Contracts",     // what an application is written against
        "Composition",
        "Serialization",
        "ErrorReports",
        "Diagnostics",
        "Messages",
        "Topics",
        "Options",       // ranges and keys of options classes
    ];

    public static readonly IReadOnlyList<string> MessagePack =
    [
        FolderGraph.Root, // the serializer, and adding it to a bus
        "Types",          // which formatter a type has, and which types are refused
        "Formatters",
    ];

    /// <summary>Not examined yet: <see cref="LayerTests"/> gets its case when the folders of HTTP stand in this order.</summary>
    public static readonly IReadOnlyList<string> Http =
    [
        "Hosting",
        FolderGraph.Root, // HttpTransport
        "HttpClientFactory",
        "Sessions",
        "Sending",
        "Server",
        "Pipeline",
        "Routing",
        "Membership",
        "Discovery",
        "LoadBalancing",
        "Endpoints",
        "Wire",
    ];
}
