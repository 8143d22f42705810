using System.Buffers;
using NUnit.Framework;
using ServiceMesh.Support;

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
    public void The_serializer_is_chosen_by_media_type_without_case_and_parameters(string contentType) =>
        Assert.That(new SerializerSet([_csv, _json], "Csv").For(contentType), Is.SameAs(_json));

    [Test]
    public void A_body_without_a_content_type_is_read_by_the_configured_serializer() =>
        Assert.That(new SerializerSet([_csv, _json], "json").For(""), Is.SameAs(_json));

    [TestCase("text/html")]
    [TestCase("application/jsonx")]
    [TestCase("application")]
    [TestCase(";")]
    public void A_content_type_without_a_serializer_is_null(string contentType) =>
        Assert.That(new SerializerSet([_csv, _json], "Json").For(contentType), Is.Null);

    [Test]
    public void The_configured_serializer_is_preferred_for_its_media_type()
    {
        var mine = new Named("MyJson", "application/json");
        // A text from a wire is equal, but another object.
        var contentType = new string("application/json".AsSpan());
        Assert.That(new SerializerSet([_json, mine], "MyJson").For(contentType), Is.SameAs(mine));
        Assert.That(new SerializerSet([_json, mine], "Json").For(contentType), Is.SameAs(_json));
    }

    [Test]
    public void An_unknown_name_is_refused_with_the_known_names() =>
        Assert.That(
            () => new SerializerSet([_csv, _json], "Xml"),
            Throws.ArgumentException.With.Message.Contains("'Xml'").And.Message.Contains("Csv, Json"));

    [Test]
    public void An_encoded_body_has_its_exact_size_and_is_not_shared()
    {
        var first = SerializerSet.Encode(_json, "first");
        var second = SerializerSet.Encode(_json, "2");
        Assert.That(first, Is.EqualTo("\"first\""u8.ToArray()));
        Assert.That(second, Is.EqualTo("\"2\""u8.ToArray()));
    }

    [Test]
    public void The_buffer_of_a_large_body_is_not_kept_by_the_thread()
    {
        SerializerSet.Encode(_json, new string('x', 3 << 20));
        Assert.That(Allocated.By(() => SerializerSet.Encode(_json, "x")), Is.LessThan(64 * 1024));
    }

    private sealed class Named(string name, string contentType) : IMessageSerializer
    {
        public string Name => name;

        public string ContentType => contentType;

        public void Serialize<T>(T value, IBufferWriter<byte> output) { }

        public T? Deserialize<T>(ReadOnlyMemory<byte> body) => default;
    }
}
