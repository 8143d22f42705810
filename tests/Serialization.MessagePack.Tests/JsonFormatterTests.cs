using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.Extensions.DependencyInjection;
using NUnit.Framework;
using NUnit.Framework.Constraints;
using ServiceMesh.Support;

namespace ServiceMesh.MessagePack.Tests;

/// <summary>Values of System.Text.Json, which compositions can merge, as MessagePack.</summary>
public sealed class JsonFormatterTests
{
    private readonly MessagePackMessageSerializer _packed = new();

    [TestCase("null", "c0")]
    [TestCase("true", "c3")]
    [TestCase("\"ü\"", "a2 c3bc")]
    [TestCase("-1", "ff")]
    [TestCase("18446744073709551615", "cf ffffffffffffffff")]
    [TestCase("1.5", "cb 3ff8000000000000")]
    [TestCase("[1,[]]", "92 01 90")]
    [TestCase("{\"a\":{\"b\":null}}", "81 a161 81 a162 c0")]
    public void Each_JSON_value_has_its_own_form_and_comes_back(string json, string hex)
    {
        var value = JsonElement.Parse(json);
        Assert.That(_packed.Hex(value), Is.EqualTo(Convert.ToHexStringLower(Packed.Body(hex))));
        Assert.That(JsonElement.DeepEquals(_packed.FromHex<JsonElement>(hex), value), Is.True);
        Assert.That(_packed.Hex(JsonNode.Parse(json)), Is.EqualTo(Convert.ToHexStringLower(Packed.Body(hex))));
        Assert.That(JsonNode.DeepEquals(_packed.FromHex<JsonNode>(hex), JsonNode.Parse(json)), Is.True);
    }

    [TestCase("ca 3dcccccd", "0.1")]
    [TestCase("ca 7f800000", "\"Infinity\"")]
    [TestCase("cb fff8000000000000", "\"NaN\"")]
    [TestCase("c4 02 0102", "\"AQI=\"")]
    [TestCase("d6 ff 00000001", "\"1970-01-01T00:00:01Z\"")]
    [TestCase("82 05 c0 ff c0", "{\"5\":null,\"-1\":null}")]
    public void A_value_without_a_JSON_type_is_read_in_its_usual_JSON_form(string hex, string json) =>
        Assert.That(_packed.FromHex<JsonElement>(hex).GetRawText(), Is.EqualTo(json));

    [TestCase("d4 05 00")]
    [TestCase("81 c0 c0")]
    [TestCase("81 c3 c0")]
    public void A_value_without_a_JSON_form_is_refused(string hex) =>
        Assert.That(() => _packed.FromHex<JsonElement>(hex), Throws.TypeOf<MalformedBodyException>());

    [Test]
    public void A_number_beyond_64_bits_is_rounded_or_refused()
    {
        Assert.That(_packed.Back(JsonElement.Parse("3.14159265358979323846")).GetRawText(), Is.EqualTo("3.141592653589793"));
        Assert.That(() => _packed.Bytes(JsonElement.Parse("1e400")), Refused("Send it as a string"));
        Assert.That(() => _packed.Bytes(default(JsonElement)), Refused("without a value"));

        static IResolveConstraint Refused(string expected) => Throws.TypeOf<NotSupportedException>().With.Message.Contains(expected);
    }

    [TestCase("""["\ud800"]""")]
    [TestCase("""{"\ud800":1}""")]
    public void A_text_with_half_of_a_surrogate_pair_is_refused(string json)
    {
        Assert.That(() => _packed.Bytes(JsonElement.Parse(json)), Refused());
        Assert.That(() => _packed.Bytes(JsonNode.Parse(json)), Refused());
        var used = JsonNode.Parse(json)!;
        Assert.That(() => UseAndWrite(used), Refused());

        static IResolveConstraint Refused() => Throws.TypeOf<NotSupportedException>().With.Message.Contains("surrogate");

        byte[] UseAndWrite(JsonNode node)
        {
            try
            {
                _ = node is JsonObject table ? table.Count : node.AsArray().Count; // the node parses its names when it is used
            }
            catch (InvalidOperationException)
            {
                // It refuses the name, and stays as it was.
            }

            return _packed.Bytes(node);
        }
    }

    [Test]
    public void A_node_is_read_as_the_requested_kind_or_refused()
    {
        Assert.That(_packed.FromHex<JsonObject>("81 a161 01")!["a"]!.GetValue<int>(), Is.EqualTo(1));
        Assert.That(_packed.FromHex<JsonArray>("91 01")![0]!.GetValue<int>(), Is.EqualTo(1));
        Assert.That(_packed.FromHex<JsonValue>("05")!.GetValue<int>(), Is.EqualTo(5));
        Assert.That(_packed.FromHex<JsonObject>("c0"), Is.Null);
        Assert.That(() => _packed.FromHex<JsonObject>("90"), Throws.TypeOf<MalformedBodyException>().With.Message.Contains("JsonObject"));
        Assert.That(() => _packed.FromHex<JsonObject>("82 a161 01 a161 02"), Throws.TypeOf<MalformedBodyException>(), "a key twice");
    }

    [Test]
    public void A_node_may_hold_a_NET_value_and_be_a_member()
    {
        var holder = new Holder { Node = new JsonObject { ["at"] = DateTime.UnixEpoch }, Element = JsonElement.Parse("[1]") };
        var back = _packed.Back(holder)!;
        Assert.That(back.Node!["at"]!.GetValue<string>(), Is.EqualTo("1970-01-01T00:00:00Z"));
        Assert.That(back.Element.GetRawText(), Is.EqualTo("[1]"));
        Assert.That(_packed.Hex<object>(new object[] { JsonValue.Create(5) }), Is.EqualTo("9105"), "as a value of type object");
    }

    [Test]
    public void A_unit_is_an_empty_map_and_entries_of_a_map_are_skipped()
    {
        Assert.That(_packed.Hex(Unit.Value), Is.EqualTo("80"));
        Assert.That(_packed.FromHex<Unit>("81 a161 91c0"), Is.EqualTo(Unit.Value));
        Assert.That(_packed.FromHex<Unit?>("c0"), Is.Null);
        Assert.That(() => _packed.FromHex<Unit>("c0"), Throws.TypeOf<MalformedBodyException>());
        Assert.That(() => _packed.FromHex<Unit>("90"), Throws.TypeOf<MalformedBodyException>());
    }

    [Test]
    public async Task A_merge_of_JSON_objects_runs_on_a_bus_that_writes_MessagePack()
    {
        var greet = new RequestTopic<JsonObject, JsonObject>("json.greet");
        await using var node = await TestNode.StartAsync(
            mesh => mesh.AddInMemoryTransport().AddMessagePackSerializer()
                .AddHandler(greet, (input, _) => new JsonObject { ["text"] = $"{input["greeting"]} {input["name"]}" }),
            [("Serializer", "MessagePack")]);

        var answer = await node.Bus.ExecuteAsync(
            greet.Merge(new JsonObject { ["greeting"] = "hello" }), new JsonObject { ["name"] = "jan" });

        Assert.That((string?)answer["text"], Is.EqualTo("hello jan"));
    }

    public sealed class Holder
    {
        public JsonNode? Node { get; init; }

        public JsonElement Element { get; init; }
    }
}
