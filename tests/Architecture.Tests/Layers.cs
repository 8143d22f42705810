namespace ServiceMesh.Architecture.Tests;

/// <summary>
/// The allowed order of the folders of each project, the highest first: a folder may use the folders below it. A new
/// folder is added here, in its place.
/// </summary>
internal static class Layers
{
    public static readonly IReadOnlyList<string> Core =
    [
        "Hosting",       // dependency injection and options
        "ContractDocuments", // the topics of a node with their schemas, and their comparison
        "Health",
        FolderGraph.Root, // ServiceBus
        "Lifetime",
        "Sending",
        "Links",
        "Transports",
        "Receiving",
        "Composition",   // the forms
        "Contracts",     // the types that an application uses
        "Serialization",
        "ErrorReports",
        "Diagnostics",
        "Threading",     // the context of the bus's own work
        "Messages",
        "Topics",
        "Options",       // ranges and keys of options classes
    ];

    public static readonly IReadOnlyList<string> MessagePack =
    [
        FolderGraph.Root, // the serializer and its registration
        "Types",          // the formatters of types, and the types that are refused
        "Formatters",
    ];

    public static readonly IReadOnlyList<string> Testing =
    [
        FolderGraph.Root, // hosts, buses and contexts for tests, and their registration
        "Sent",           // what was sent, and assertions on it
        "Failures",       // failures on demand
        "Topics",
    ];

    public static readonly IReadOnlyList<string> Http =
    [
        "Hosting",           // dependency injection
        "Web",               // replies as answers of a web application
        FolderGraph.Root,    // HttpTransport and its parts
        "HttpClientFactory", // requests of HttpClients
        "Options",           // the section as a whole, with its rules
        "Signals",           // signals of the bus
        "Requests",          // requests of the bus
        "Routing",           // which endpoints handle which topics
        "Membership",        // the endpoints of each service, and the nodes behind them
        "Sessions",          // long streams of frames between two nodes
        "Sending",           // one HTTP request over a connection
        "Pipeline",          // retry, hedging, selection, circuit breaker, timeouts, limits
        "Server",            // the server of this node
        "LoadBalancing",
        "Discovery",         // resolvers of addresses
        "Certificates",      // certificates in files
        "Endpoints",         // an endpoint with its measured state
        "Wire",
    ];

    public static readonly IReadOnlyList<string> Redis =
    [
        "Hosting",        // dependency injection
        FolderGraph.Root, // RedisTransport
        "Inbox",          // the native wire
        "Gilmour",        // the wire of Gilmour
        "Signals",        // signals of the native wire
        "Directory",      // who is there, and what each node handles
        "ErrorReports",
        "Connection",     // the connection, its gaps and its subscriptions
        "Options",
        "Sealing",        // what the keys of the mesh do to bytes
    ];

    public static readonly IReadOnlyList<string> HttpPipeline =
    [
        FolderGraph.Root, // the layers in their order
        "Retry",          // whether another attempt follows, and the budget
        "Attempts",       // a request, its attempts, and their outcomes
        "Timeouts",
        "Limits",
        "Ejection",
        "CircuitBreaking",
    ];
}
