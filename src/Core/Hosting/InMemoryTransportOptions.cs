namespace ServiceMesh;

/// <summary><c>ServiceMesh:InMemory</c>: the in-memory transport.</summary>
public sealed class InMemoryTransportOptions
{
    internal const string TransportName = "InMemory";

    internal static readonly OptionsSchema Schema = OptionsSchema.Of<InMemoryTransportOptions>();

    /// <summary>
    /// Hands values from caller to handler and back as they are, without encoding. Default: false. Set it on the buses of a process that
    /// only talk to each other, when all their messages are immutable: caller and handlers then share one object, and a change that one
    /// of them makes is seen by the others. Nothing is encoded, so neither the limit on bodies nor the check of contracts applies, and null
    /// arrives as null. A step of the application, an error report, or a handler of another type than the caller's encodes the value when
    /// it needs the body.
    /// </summary>
    public bool PassByReference { get; set; }
}
