using System.Text;
using System.Text.Json;
using NUnit.Framework;

namespace ServiceMesh.Http.Tests;

/// <summary>The documents of other nodes, which may say anything.</summary>
public sealed class NodeDocumentTests
{
    [Test]
    public void A_document_keeps_what_can_be_used()
    {
        var document = Read(
            "node-1", "\"name\\nforged\"", "[{\"topic\":\"a.b\"},{\"topic\":\"not a topic\"},{\"topic\":\"c\",\"group\":\"g\"}]",
            "[{\"topic\":\"a.*\"},{\"topic\":\"b\",\"group\":\"x,y\\r\\nz: 1\"},{\"topic\":\"**\"}]");

        Assert.That(document.Requests, Is.EqualTo(new Interest[] { new("a.b"), new("c", "g") }));
        Assert.That(document.Signals, Is.EqualTo(new Interest[] { new("a.*") }));
        Assert.That(document.Name, Is.EqualTo("name?forged"));
    }

    [TestCase("not an id", 0, "not a node id")]
    [TestCase("", 0, "not a node id")]
    [TestCase("node-1", 20_001, "more than 20000")]
    public void A_hostile_document_is_refused(string id, int topics, string why)
    {
        var many = $"[{string.Join(',', Enumerable.Range(0, topics).Select(i => $"{{\"topic\":\"t{i}\"}}"))}]";

        Assert.That(() => Read(id, "\"n\"", many, "[]"), Throws.InstanceOf<JsonException>().With.Message.Contains(why));
    }

    [Test]
    public void A_null_in_a_document_is_refused()
    {
        Assert.That(() => Read("node-1", "\"n\"", "[null]", "[]"), Throws.InstanceOf<JsonException>());
        Assert.That(() => NodeDocument.Read("null"u8), Throws.InstanceOf<JsonException>());
    }

    private static NodeDocument Read(string id, string name, string requests, string signals) => NodeDocument.Read(Encoding.UTF8.GetBytes(
        $$"""
        {
          "id": "{{id}}", "name": {{name}}, "host": "h", "processId": 1, "uptime": 1, "draining": false, "version": 1, "load": 0,
          "requests": {{requests}}, "signals": {{signals}}
        }
        """));
}
