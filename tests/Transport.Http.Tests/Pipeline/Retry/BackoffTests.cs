using NUnit.Framework;

namespace ServiceMesh.Http.Tests;

public sealed class BackoffTests
{
    private static readonly TimeSpan s_first = TimeSpan.FromMilliseconds(25);
    private static readonly TimeSpan s_longest = TimeSpan.FromSeconds(1);

    [TestCase(1, 25)]
    [TestCase(2, 50)]
    [TestCase(3, 100)]
    [TestCase(6, 800)]
    [TestCase(7, 1000)]
    [TestCase(1_000_000, 1000)]
    public void The_pause_doubles_up_to_its_maximum(int attempts, double milliseconds) =>
        Assert.That(Backoff.Before(s_first, s_longest, attempts, chance: 1).TotalMilliseconds, Is.EqualTo(milliseconds).Within(0.001));

    [TestCase(0, 0)]
    [TestCase(0.25, 25)]
    [TestCase(0.5, 50)]
    public void The_pause_has_full_jitter(double chance, double milliseconds) =>
        Assert.That(Backoff.Before(s_first, s_longest, 3, chance).TotalMilliseconds, Is.EqualTo(milliseconds).Within(0.001));
}
