using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace ServiceMesh;

/// <summary>
/// Compares the keys of tables that are filled from outside. Keys that are chosen to have one hash, or hashes in one bucket, would make
/// filling a table quadratic, and a small body would cost minutes. The hash is Marvin32, which .NET uses for strings, with a random key of
/// the process; where a type's own hash is needed, the equal hashes that it yields are counted and end the reading.
/// </summary>
internal sealed class GuardedComparer<T> : IEqualityComparer<T>
{
    private GuardedComparer() { }

    public static GuardedComparer<T> Instance { get; } = new();

    public bool Equals(T? x, T? y)
    {
        var areEqual = EqualityComparer<T>.Default.Equals(x, y);
        if (!areEqual)
        {
            CollisionBudget.Spend();
        }

        return areEqual;
    }

    public int GetHashCode([DisallowNull] T value)
    {
        // Equal values must have equal bytes: of types for which that does not hold, the own hash is hashed.
        if (typeof(T) == typeof(long) || typeof(T) == typeof(ulong) || typeof(T) == typeof(int) || typeof(T) == typeof(uint)
            || typeof(T) == typeof(short) || typeof(T) == typeof(ushort) || typeof(T) == typeof(char)
            || typeof(T) == typeof(Guid) || typeof(T) == typeof(TimeSpan) || typeof(T) == typeof(DateOnly) || typeof(T) == typeof(TimeOnly)
            || typeof(T) == typeof(Int128) || typeof(T) == typeof(UInt128))
        {
            return HashOf(ref value, Unsafe.SizeOf<T>());
        }

        if (typeof(T) == typeof(double))
        {
            var bits = BitConverter.DoubleToInt64Bits(Canonical((double)(object)value));
            return HashOf(ref bits, sizeof(long));
        }

        if (typeof(T) == typeof(DateTime))
        {
            var ticks = ((DateTime)(object)value).Ticks;
            return HashOf(ref ticks, sizeof(long));
        }

        if (typeof(T) == typeof(DateTimeOffset))
        {
            var ticks = ((DateTimeOffset)(object)value).UtcTicks;
            return HashOf(ref ticks, sizeof(long));
        }

        var own = EqualityComparer<T>.Default.GetHashCode(value);
        return HashOf(ref own, sizeof(int));
    }

    // Zero has two forms, and NaN many.
    private static double Canonical(double value) => value == 0 ? 0 : double.IsNaN(value) ? double.NaN : value;

    private static int HashOf<TValue>(ref TValue value, int bytes) =>
        string.GetHashCode(MemoryMarshal.CreateReadOnlySpan(ref Unsafe.As<TValue, char>(ref value), bytes / sizeof(char)));
}

/// <summary>How many pairs of different keys with one hash a body may have while it is read.</summary>
internal static class CollisionBudget
{
    // Some 10 ms of comparisons. A million random keys have some hundred such pairs.
    private const int Largest = 1_000_000;

    [ThreadStatic]
    private static int t_left;

    [ThreadStatic]
    private static bool t_isReading;

    /// <summary>Starts to count on this thread; <see cref="End"/> follows.</summary>
    /// <returns>False within another reading, which goes on counting.</returns>
    public static bool Begin()
    {
        if (t_isReading)
        {
            return false;
        }

        (t_isReading, t_left) = (true, Largest);
        return true;
    }

    public static void End() => t_isReading = false;

    /// <summary>Counts a pair. A table that was read before, and is used by a handler, counts nothing.</summary>
    /// <exception cref="HashCollisionException">There were too many.</exception>
    public static void Spend()
    {
        if (t_isReading && --t_left < 0)
        {
            throw new HashCollisionException();
        }
    }
}

/// <summary>A body has keys that were chosen, or happen, to collide.</summary>
internal sealed class HashCollisionException() : Exception("The keys of a table have the same hash too often.");
