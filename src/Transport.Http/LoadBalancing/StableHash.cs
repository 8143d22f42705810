namespace ServiceMesh.Http;

/// <summary>A hash that is the same in every process: FNV-1a over UTF-16, with the finalizer of MurmurHash3. Not for security.</summary>
internal static class StableHash
{
    public static ulong Of(string text, ulong seed = 0)
    {
        var hash = 14695981039346656037 ^ (seed * 0x9E3779B97F4A7C15);
        foreach (var character in text)
        {
            hash = (hash ^ character) * 1099511628211;
        }

        // FNV leaves the high bits of short texts similar.
        hash = (hash ^ (hash >> 33)) * 0xFF51AFD7ED558CCD;
        hash = (hash ^ (hash >> 33)) * 0xC4CEB9FE1A85EC53;
        return hash ^ (hash >> 33);
    }
}
