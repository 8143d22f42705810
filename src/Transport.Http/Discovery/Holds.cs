namespace ServiceMesh.Http;

/// <summary>How long what several lookups found holds. Immutable.</summary>
/// <param name="Records">The shortest time to live of the records.</param>
/// <param name="Absence">The shortest time of what does not exist.</param>
internal readonly record struct Holds(TimeSpan Records, TimeSpan Absence)
{
    /// <summary>Nothing ends: the neutral element of <see cref="And"/>.</summary>
    public static readonly Holds Always = new(TimeSpan.MaxValue, TimeSpan.MaxValue);

    public static Holds Of<T>(DnsAnswer<T> answer) =>
        answer.Records.IsEmpty ? Always with { Absence = answer.TimeToLive } : Always with { Records = answer.TimeToLive };

    /// <summary>Both together.</summary>
    public Holds And(Holds other) => new(Least(Records, other.Records), Least(Absence, other.Absence));

    /// <summary>How long to wait before the next lookup.</summary>
    public TimeSpan Wait(Random random)
    {
        var absence = RefreshTime.AfterAbsence(Absence);
        return Records == Always.Records ? absence : Least(RefreshTime.AfterAnswer(Records, random), absence);
    }

    private static TimeSpan Least(TimeSpan a, TimeSpan b) => a < b ? a : b;
}
