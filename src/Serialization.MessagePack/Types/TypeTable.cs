using System.Diagnostics.CodeAnalysis;

namespace ServiceMesh.MessagePack;

/// <summary>
/// One object for each type, found without hashing: each type has a number, which is an index into an array. Thread-safe;
/// readers take no lock.
/// </summary>
internal sealed class TypeTable
{
    private object?[] _entries = [];

    public bool TryGet<T>([NotNullWhen(true)] out object? entry)
    {
        var entries = Volatile.Read(ref _entries);
        entry = Place<T>.Number < entries.Length ? entries[Place<T>.Number] : null;
        return entry is not null;
    }

    /// <summary>Adds an object. If two threads add at the same moment, one addition may be lost, so the caller can repeat it.</summary>
    public void Set<T>(object entry)
    {
        var entries = Volatile.Read(ref _entries);
        var more = new object?[Math.Max(entries.Length, Place<T>.Number + 1)];
        entries.CopyTo(more, 0);
        more[Place<T>.Number] = entry;
        Volatile.Write(ref _entries, more);
    }

    private static class Places
    {
        public static int Last = -1;
    }

    private static class Place<T>
    {
        public static readonly int Number = Interlocked.Increment(ref Places.Last);
    }
}
