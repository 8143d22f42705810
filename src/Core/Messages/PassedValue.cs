namespace ServiceMesh;

/// <summary>A value that a message carries as an object instead of a body, within one process. Immutable.</summary>
internal abstract class PassedValue
{
    /// <summary>
    /// Encodes it, for whatever asks for the body all the same: a step of the application, an error report, a handler of another
    /// type.
    /// </summary>
    public abstract ReadOnlyMemory<byte> Encode();
}
