using System.Diagnostics.CodeAnalysis;

namespace ServiceMesh.MessagePack;

/// <summary>
/// One thing for each type, found without hashing: a type has a number, and its thing stands at that place. Thread-safe;
/// readers take no lock.
/// </summary>
internal sealed class TypeTable
{
    private object?[] _things = [];

    public bool TryGet<T>([NotNullWhen(true)] out object? thing)
    {
        var things = Volatile.Read(ref _things);
        thing = Place<T>.Number < things.Length ? things[Place<T>.Number] : null;
        return thing is not null;
    }

    /// <summary>Adds one. Of two that are added at the same moment one may be lost, so the caller must be able to make it again.</summary>
    public void Set<T>(object thing)
    {
        var things = Volatile.Read(ref _things);
        var more = new object?[Math.Max(things.Length, Place<T>.Number + 1)];
        things.CopyTo(more, 0);
        more[Place<T>.Number] = thing;
        Volatile.Write(ref _things, more);
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
