using Microsoft.Extensions.Time.Testing;
using NUnit.Framework;

namespace ServiceMesh.Http.Tests;

/// <summary>When a session is tried, and when it is tried again.</summary>
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
public sealed class SessionSlotTests
{
    private readonly FakeTimeProvider _clock = new();
    private readonly SessionSlot _slot = Make(isHttp2: true, isTls: false, isForeign: false);

    [Test]
    public void One_caller_at_a_time_may_open_a_session()
    {
        Assert.That((Take(), Take()), Is.EqualTo((true, false)));
        _slot.Ended("it broke", TimeSpan.FromMinutes(1), _clock, new Random(1));
        Assert.That(Take(), Is.True, "one that lasted is replaced at once");
    }

    [Test]
    public void A_refused_session_is_tried_again_after_pauses_that_grow_to_five_minutes()
    {
        var pauses = new List<TimeSpan>();
        for (var i = 0; i < 14; i++)
        {
            Assert.That(Take(), Is.True);
            _slot.Ended("it was refused", TimeSpan.Zero, _clock, new Random(i));
            var from = _clock.GetUtcNow();
            while (!IsDue())
            {
                _clock.Advance(TimeSpan.FromMilliseconds(50));
            }

            pauses.Add(_clock.GetUtcNow() - from);
        }

        using (Assert.EnterMultipleScope())
        {
            Assert.That(pauses[0], Is.InRange(TimeSpan.FromMilliseconds(200), TimeSpan.FromMilliseconds(350)));
            Assert.That(pauses[3], Is.InRange(TimeSpan.FromSeconds(1.6), TimeSpan.FromSeconds(2.5)));
            Assert.That(pauses[^1], Is.InRange(TimeSpan.FromMinutes(4), TimeSpan.FromMinutes(6.1)));
            Assert.That(_slot.Reason, Is.EqualTo("it was refused"));
        }
    }

    [Test]
    public void Another_node_at_the_endpoint_is_asked_at_once()
    {
        Take();
        _slot.Ended("it was refused", TimeSpan.Zero, _clock, new Random(1));
        Assert.That(IsDue(), Is.False);

        _slot.NodeId = "another";

        Assert.That(Take(), Is.True);
    }

    [Test]
    public void Another_node_behind_a_load_balancer_is_not_asked_at_once()
    {
        Take();
        _slot.Ended("it was refused", TimeSpan.Zero, _clock, new Random(1));
        _slot.Target.Endpoint.IsMany = true;

        _slot.NodeId = "another";

        Assert.That(IsDue(), Is.False);
    }

    [TestCase(true, false, false, true)]
    [TestCase(false, true, false, true)]
    [TestCase(false, false, false, false)]
    [TestCase(true, true, true, false)]
    public void Only_a_node_that_is_called_over_HTTP_2_can_have_a_session(bool isHttp2, bool isTls, bool isForeign, bool can)
    {
        var slot = Make(isHttp2, isTls, isForeign);
        slot.NodeId = "node";

        Assert.That(slot.TryTake(_clock.GetTimestamp()), Is.EqualTo(can));
    }

    [Test]
    public void An_endpoint_whose_node_is_not_known_is_not_asked() =>
        Assert.That(Make(isHttp2: true, isTls: false, isForeign: false).TryTake(_clock.GetTimestamp()), Is.False);

    private bool Take()
    {
        _slot.NodeId ??= "node";
        return _slot.TryTake(_clock.GetTimestamp());
    }

    private bool IsDue()
    {
        if (!_slot.TryTake(_clock.GetTimestamp()))
        {
            return false;
        }

        _slot.GiveBack();
        return true;
    }

    private static SessionSlot Make(bool isHttp2, bool isTls, bool isForeign)
    {
        var endpoint = new Endpoint(new("10.0.0.1", 80), TimeProvider.System);
        return new(new HttpTarget(endpoint, isTls, isHttp2, isForeign, "node"), new("http://10.0.0.1/mesh/v1/session"));
    }
}
