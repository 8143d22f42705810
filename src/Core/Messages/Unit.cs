namespace ServiceMesh;

/// <summary>The input or answer of a topic that needs none. Encoded as an empty object.</summary>
public readonly record struct Unit
{
    /// <summary>The one value.</summary>
    public static Unit Value => default;
}
