using NUnit.Framework;

namespace ServiceMesh.Http.Tests;

public sealed class LeastTests
{
    [Test]
    public void The_fewest_connections_win_and_weights_count()
    {
        var endpoints = new Endpoints(1, 1, 3);
        var balancer = endpoints.Balancer("LeastConnections");
        var letters = string.Concat(Enumerable.Range(0, 10).Select(_ =>
        {
            var picked = balancer.Pick(default)!;
            picked.Begin();
            return Endpoints.NameOf(picked);
        }).Order());
        Assert.That(letters, Is.EqualTo("aabbcccccc"));
        endpoints[0].End();
        endpoints[0].End();
        Assert.That(Endpoints.NameOf(balancer.Pick(default)), Is.EqualTo("a"));
    }

    [Test]
    public void The_fewest_bytes_win_and_old_bytes_fade()
    {
        var endpoints = new Endpoints(1, 1);
        var balancer = endpoints.Balancer("LeastTraffic");
        endpoints[0].RecordBytes(1_000_000);
        endpoints.Clock.Advance(TimeSpan.FromSeconds(60));
        endpoints[1].RecordBytes(1000);
        Assert.That(endpoints[0].RecentBytes, Is.EqualTo(1_000_000 * Math.Exp(-6)).Within(10), "still more than the other's");
        Assert.That(Endpoints.Letters(balancer, 3), Is.EqualTo("bbb"));
        endpoints[1].RecordBytes(2000);
        Assert.That(Endpoints.Letters(balancer, 3), Is.EqualTo("aaa"));
    }

    [Test]
    public void The_lowest_latency_wins()
    {
        var endpoints = new Endpoints(1, 1, 1);
        foreach (var (endpoint, milliseconds) in endpoints.All.Zip([50, 40, 60]))
        {
            endpoint.RecordSuccess(TimeSpan.FromMilliseconds(milliseconds));
        }

        Assert.That(Endpoints.Letters(endpoints.Balancer("LeastLatency"), 3), Is.EqualTo("bbb"));
    }

    [Test]
    public void A_slow_endpoint_is_tried_again_and_kept_if_it_is_fast()
    {
        var endpoints = new Endpoints(1, 1);
        var balancer = endpoints.Balancer("LeastLatency");
        endpoints[0].RecordSuccess(TimeSpan.FromSeconds(2));
        var tried = 0;
        for (var second = 0; second < 300; second++)
        {
            endpoints.Clock.Advance(TimeSpan.FromSeconds(1));
            var picked = balancer.Pick(default)!;
            tried += picked == endpoints[0] ? 1 : 0;
            picked.Begin();
            picked.RecordSuccess(TimeSpan.FromMilliseconds(picked == endpoints[0] ? 1 : 20));
            picked.End();
        }

        Assert.That(tried, Is.GreaterThan(200));
    }
}
