using System.Buffers;
using NUnit.Framework;

namespace ServiceMesh.Core.Tests;

[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
public sealed class SerializerSetTests
{
    private readonly JsonMessageSerializer _json = new();
    private readonly Named _csv = new("Csv", "text/csv");

    [TestCase("application/json")]
    [TestCase("APPLICATION/JSON")]
    [TestCase("application/json; charset=utf-8")]
    [TestCase(" application/json ;x=y")]
    public void The_serializer_is_chosen_by_media_type_whatever_its_case_and_parameters(string contentType) =>
        Assert.That(new SerializerSet([_csv, _json], "Csv").For(contentType), Is.SameAs(_json));

    [Test]
    public void Without_a_content_type_the_configured_one_reads() =>
        Assert.That(new SerializerSet([_csv, _json], "json").For(""), Is.SameAs(_json));

    [TestCase("text/html")]
    [TestCase("application/jsonx")]
    [TestCase("application")]
    [TestCase(";")]
    public void What_nobody_reads_is_null(string contentType) =>
        Assert.That(new SerializerSet([_csv, _json], "Json").For(contentType), Is.Null);

    [Test]
    public void Of_two_that_read_a_media_type_the_configured_one_does()
    {
        var mine = new Named("MyJson", "application/json");
        // As it comes from a wire: an equal text, not the same object.
        var contentType = new string("application/json".AsSpan());
        Assert.That(new SerializerSet([_json, mine], "MyJson").For(contentType), Is.SameAs(mine));
        Assert.That(new SerializerSet([_json, mine], "Json").For(contentType), Is.SameAs(_json));
    }

    [Test]
    public void An_unknown_name_is_refused_with_those_that_there_are() =>
        Assert.That(
            () => new SerializerSet([_csv, _json], "Xml"),
            Throws.ArgumentException.With.Message.Contains("'Xml'").And.Message.Contains("Csv, Json"));

    [Test]
    public void An_encoded_body_has_exactly_its_size_and_is_nobody_elses()
    {
        var first = SerializerSet.Encode(_json, "first");
        var second = SerializerSet.Encode(_json, "2");
        Assert.That(first, Is.EqualTo("\"first\""u8.ToArray()));
        Assert.That(second, Is.EqualTo("\"2\""u8.ToArray()));
    }

    [Test]
    public void A_large_body_does_not_stay_with_the_thread()
    {
        SerializerSet.Encode(_json, new string('x', 3 << 20));
        var before = GC.GetAllocatedBytesForCurrentThread();
        SerializerSet.Encode(_json, "x");
        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.LessThan(64 * 1024));
    }

    private sealed class Named(string name, string contentType) : IMessageSerializer
    {
        public string Name => name;

        public string ContentType => contentType;

        public void Serialize<T>(T value, IBufferWriter<byte> output) { }

        public T? Deserialize<T>(ReadOnlyMemory<byte> body) => default;
    }
}
