namespace ServiceMesh;

/// <summary>How closely a body must match the type that it is read as.</summary>
public enum ContractMatching
{
    /// <summary>
    /// What the type requires must be there, and what the body has beyond the type is ignored, so that contracts can grow during a
    /// rolling update.
    /// </summary>
    Compatible,

    /// <summary>A member that the type does not have is refused too, with status 400.</summary>
    Exact,
}
