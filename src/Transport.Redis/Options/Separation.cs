using StackExchange.Redis;

namespace ServiceMesh.Redis;

/// <summary>
/// Two settings of the client look as if they separated meshes, and do so by halves: all databases of a Redis share their channels, and
/// a prefix of channels leaves the keys as they are. Pure.
/// </summary>
internal static class Separation
{
    /// <summary>What is wrong with the settings, in a sentence with its remedy; null for nothing.</summary>
    /// <param name="client">The settings of the client.</param>
    /// <param name="wire">The wire: the names of Gilmour are fixed.</param>
    /// <param name="source">What they were read from, with its key.</param>
    /// <param name="prefixKey">The key of the prefix.</param>
    public static string? Problem(ConfigurationOptions client, RedisWire wire, string source, string prefixKey)
    {
        var remedy = wire == RedisWire.Gilmour
            ? "Take it out, and give each Gilmour mesh a Redis of its own."
            : $"Take it out, and separate meshes with {prefixKey}, which is in all names.";
        return client.DefaultDatabase is > 0 and var database
                ? $"{source} has defaultDatabase={database}: all databases of a Redis share their channels, so that meshes on two "
                    + $"databases receive each other's messages. {remedy}"
            : !client.ChannelPrefix.IsNullOrEmpty
                ? $"{source} has a channelPrefix, which is not in the names of keys, so that meshes with two prefixes see each other's "
                    + $"nodes and cannot reach them. {remedy}"
            : null;
    }
}
