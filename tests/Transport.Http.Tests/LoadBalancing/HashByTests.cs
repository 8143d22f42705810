using NUnit.Framework;

namespace ServiceMesh.Http.Tests;

/// <summary>What <c>ConsistentHash</c> hashes without a header of one's own.</summary>
public sealed class HashByTests
{
    [TestCase(HashBy.Header, "pune")]
    [TestCase(HashBy.Path, "/api/readings?city=pune")]
    [TestCase(HashBy.Topic, "/api/readings?city=pune", Description = "an HttpClient has no topic")]
    public void A_request_of_an_HttpClient_is_hashed_by(HashBy by, string key)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, "http://weather/api/readings?city=pune");
        request.Headers.Add("partition-key", "pune");

        Assert.That(HttpCallOptions.Of(request, new() { HashBy = by }, new(), 0).HashKey, Is.EqualTo(key));
    }

    [Test]
    public void The_key_of_a_request_comes_before_what_its_service_says([Values] HashBy by)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, "http://weather/").SetBalancingKey("mine");

        Assert.That(HttpCallOptions.Of(request, new() { HashBy = by }, new(), 0).HashKey, Is.EqualTo("mine"));
    }

    [TestCase(HashBy.Header, "pune")]
    [TestCase(HashBy.Path, "weather.fetch")]
    [TestCase(HashBy.Topic, "weather.fetch")]
    public void A_request_of_the_bus_is_hashed_by(HashBy by, string key)
    {
        var message = new Message
        {
            Id = new("node", 1),
            Kind = MessageKind.Request,
            Topic = Topic.Parse("weather.fetch"),
            ContentType = "",
            Headers = Headers.Empty.With("partition-key", "pune"),
        };

        var call = new MessageCall(message, new(null!, [], "weather", by, "partition-key", new()), Routes.None, null!);

        Assert.That(call.HashKey, Is.EqualTo(key));
    }
}
