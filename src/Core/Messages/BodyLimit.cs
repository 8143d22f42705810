namespace ServiceMesh;

/// <summary>The largest body that a node sends or accepts.</summary>
/// <param name="MaxBytes">In bytes.</param>
/// <param name="Key">The key that sets it, with its section, for messages.</param>
internal sealed record BodyLimit(int MaxBytes, string Key);
