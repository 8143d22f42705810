using System.Runtime.CompilerServices;

namespace ServiceMesh;

/// <summary>
/// How much room a collection is given before its elements have been read. A count is known to be backed by bytes, but an
/// element may be a single byte and a body may open many collections one inside the other, so trust is limited, and the
/// rest grows with what arrives.
/// </summary>
internal static class Capacity
{
    private const int MostElements = 1024;
    private const int MostBytes = 64 * 1024;

    public static int For<T>(int count) => Math.Min(count, Math.Min(MostElements, Math.Max(MostBytes / Unsafe.SizeOf<T>(), 1)));
}
