using MessagePack;

namespace ServiceMesh.MessagePack;

/// <summary>
/// The library's settings for data from outside, with a bound on nesting, and with hashes that resist collisions for more keys
/// than the library has them for.
/// </summary>
internal sealed class BodySecurity : MessagePackSecurity
{
    private readonly Dictionary<Type, object> _comparers;

    public BodySecurity(int maxDepth)
        : base(UntrustedData.WithMaximumObjectGraphDepth(maxDepth))
    {
        _comparers = new()
        {
            [typeof(DateOnly)] = new Projected<DateOnly, int>(day => day.DayNumber, base.GetHashCollisionResistantEqualityComparer<int>()),
            [typeof(TimeOnly)] = new Projected<TimeOnly, long>(time => time.Ticks, base.GetHashCollisionResistantEqualityComparer<long>()),
            [typeof(TimeSpan)] = new Projected<TimeSpan, long>(time => time.Ticks, base.GetHashCollisionResistantEqualityComparer<long>()),
        };
    }

    private BodySecurity(BodySecurity other)
        : base(other) => _comparers = other._comparers;

    protected override IEqualityComparer<T> GetHashCollisionResistantEqualityComparer<T>() =>
        _comparers.TryGetValue(typeof(T), out var comparer)
            ? (IEqualityComparer<T>)comparer
            : base.GetHashCollisionResistantEqualityComparer<T>();

    protected override MessagePackSecurity Clone() => new BodySecurity(this);

    /// <summary>Hashes a value by another one that equal values share and different values do not.</summary>
    private sealed class Projected<T, TOther>(Func<T, TOther> other, IEqualityComparer<TOther> comparer) : IEqualityComparer<T>
    {
        public bool Equals(T? x, T? y) => EqualityComparer<T>.Default.Equals(x, y);

        public int GetHashCode(T value) => comparer.GetHashCode(other(value)!);
    }
}
