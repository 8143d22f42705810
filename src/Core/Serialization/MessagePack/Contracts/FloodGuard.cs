using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace ServiceMesh;

/// <summary>
/// Keys from outside can be chosen so that all have one hash, and a table of n of them takes n² steps to fill. This
/// comparer hashes with Marvin under the process's random key, which nobody outside can aim at. Where all it gets is a
/// type's own hash, it counts the comparisons, and refuses the body when there are far more than chance would have.
/// </summary>
/// <remarks>Texts need no guard: tables of strings change to a keyed hash by themselves.</remarks>
internal sealed class FloodGuard<T> : IEqualityComparer<T>
{
    /// <summary>Fewer keys than these are filled in fast enough whatever they are.</summary>
    public const int Threshold = 512;

    // A good hash compares about once for each key; a hundred times as often is no chance.
    private const int ComparisonsPerKey = 100;

    private static readonly bool s_isHashedByBits =
        typeof(T) == typeof(int) || typeof(T) == typeof(uint) || typeof(T) == typeof(long) || typeof(T) == typeof(ulong)
        || typeof(T) == typeof(Guid) || typeof(T) == typeof(TimeSpan) || typeof(T).IsEnum;

    private readonly EqualityComparer<T> _comparer = EqualityComparer<T>.Default;
    private readonly long _position;
    private readonly bool _countsOnly;
    private long _left;

    private FloodGuard(int count, long position, bool countsOnly)
    {
        _position = position;
        _countsOnly = countsOnly;
        _left = (long)count * ComparisonsPerKey;
    }

    /// <summary>The guard for so many keys, or null when they need none.</summary>
    public static FloodGuard<T>? For(int count, ref MessagePackReader reader) =>
        For(count, ref reader, countsOnly: reader.IsForJson);

    /// <summary>The guard of keys that go into another table as well, which has their own hashes: those are what counts.</summary>
    public static FloodGuard<T>? Counting(int count, ref MessagePackReader reader) => For(count, ref reader, countsOnly: true);

    /// <summary>The table is filled; what the application does with it is its own affair.</summary>
    public void Disarm() => _left = long.MaxValue;

    public bool Equals(T? x, T? y) =>
        --_left >= 0 ? _comparer.Equals(x, y) : throw new MessagePackException("Too many keys have the same hash", _position);

    public int GetHashCode(T key)
    {
        if (s_isHashedByBits && !_countsOnly)
        {
            var bytes = MemoryMarshal.CreateReadOnlySpan(ref Unsafe.As<T, byte>(ref key), Unsafe.SizeOf<T>());
            return bytes.Length == 1 ? bytes[0] : string.GetHashCode(MemoryMarshal.Cast<byte, char>(bytes));
        }

        var own = key is null ? 0 : _comparer.GetHashCode(key);
        return string.GetHashCode(MemoryMarshal.Cast<int, char>(new ReadOnlySpan<int>(ref own)));
    }

    private static FloodGuard<T>? For(int count, ref MessagePackReader reader, bool countsOnly) =>
        count <= Threshold || typeof(T) == typeof(string) ? null : new(count, reader.Position, countsOnly);
}

/// <summary>
/// The same for a table that somebody else fills, the application's own class or System.Text.Json: the keys go through a
/// guarded set beside it, which refuses a flood of their own hashes before the table has taken it in.
/// </summary>
internal readonly struct FloodWatch<T>
{
    private readonly HashSet<T>? _seen;

    public FloodWatch(int count, ref MessagePackReader reader)
    {
        var guard = FloodGuard<T>.Counting(count, ref reader);
        _seen = guard is null ? null : new(guard);
    }

    public bool IsWatching => _seen is not null;

    public void See(T key) => _seen?.Add(key);
}
