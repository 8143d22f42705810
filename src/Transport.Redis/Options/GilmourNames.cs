namespace ServiceMesh.Redis;

/// <summary>Names of the Gilmour implementations that options and the start look at.</summary>
internal static class GilmourNames
{
    /// <summary>The hash of known nodes.</summary>
    public const string KnownNodes = "gilmour.known_host.health";

    /// <summary>Where reports are published: by Go on the first, by Ruby on the second. Ours hear both.</summary>
    public static readonly IReadOnlyList<string> ErrorChannels = ["gilmour.errors", "gilmour.error"];
}
