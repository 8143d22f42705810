using NUnit.Framework;

namespace ServiceMesh.Http.Tests;

/// <summary>How what fades does so: in one line from table entry to table entry, from the first millisecond to the last.</summary>
public sealed class TimestampedFloatTests
{
    [Test]
    public void It_fades_as_the_exponential_does([Values(1, 31, 32, 33, 5_000, 10_000, 60_001, 131_071)] int elapsed) =>
        Assert.That(Left(elapsed), Is.EqualTo(Math.Exp(elapsed / -10_000.0)).Within(0.0002).Percent);

    [Test]
    public void Nothing_has_faded_at_once_or_for_who_is_a_little_late([Values(0, -1, -1000)] int elapsed) => Assert.That(Left(elapsed), Is.EqualTo(1));

    [Test]
    public void Something_is_always_left([Values(131_072, 131_073, 1_000_000, int.MaxValue)] int elapsed) =>
        Assert.That(Left(elapsed), Is.Positive.And.LessThan(0.000003));

    private static float Left(int elapsed) => TimestampedFloat.Decay(TimestampedFloat.Pack(1, 5_000), unchecked((uint)(5_000 + elapsed)));
}
