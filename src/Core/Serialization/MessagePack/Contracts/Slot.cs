namespace ServiceMesh;

/// <summary>
/// Where the value of a member waits until its object can be made: a constructor with parameters runs when everything has
/// been read. Kept and used again, so that a value is neither boxed nor costs an object.
/// </summary>
internal abstract class Slot
{
    /// <summary>Forgets the value of the last object.</summary>
    public abstract void Reset();

    public abstract object? Boxed { get; }
}

/// <param name="initial">What a parameter is when the body does not have it.</param>
internal sealed class Slot<T>(T initial) : Slot
{
    private readonly T _initial = initial;

    // A field: emitted code loads it.
    public T Value = initial;

    public override object? Boxed => Value;

    public override void Reset() => Value = _initial;
}
