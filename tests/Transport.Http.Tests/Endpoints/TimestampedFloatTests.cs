using NUnit.Framework;

namespace ServiceMesh.Http.Tests;

/// <summary>How values fade, from the first millisecond to the last entry of the table.</summary>
public sealed class TimestampedFloatTests
{
    [Test]
    public void A_value_fades_exponentially([Values(1, 31, 32, 33, 5_000, 10_000, 60_001, 131_071)] int elapsed) =>
        Assert.That(Left(elapsed), Is.EqualTo(Math.Exp(elapsed / -10_000.0)).Within(0.0002).Percent);

    [Test]
    public void A_value_has_not_faded_at_once_or_for_a_reader_that_is_slightly_late([Values(0, -1, -1000)] int elapsed) =>
        Assert.That(Left(elapsed), Is.EqualTo(1));

    [Test]
    public void A_value_never_fades_completely([Values(131_072, 131_073, 1_000_000, int.MaxValue)] int elapsed) =>
        Assert.That(Left(elapsed), Is.Positive.And.LessThan(0.000003));

    private static float Left(int elapsed) => TimestampedFloat.Decay(TimestampedFloat.Pack(1, 5_000), unchecked((uint)(5_000 + elapsed)));
}
