using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using NUnit.Framework;
using ServiceMesh.Support;

namespace ServiceMesh.MessagePack.Tests;

/// <summary>Every exception of the library while it reads becomes a MalformedBodyException, and so status 400.</summary>
public sealed class MalformedBodyTests
{
    private readonly MessagePackMessageSerializer _packed = new();

    [Test]
    public void Each_failure_of_reading_is_a_malformed_body()
    {
        AssertMalformed<FormTests.Point>("92 01 02", "$ is an array; an object (Point) is expected (byte 1 of 3)"); // an array for a map
        AssertMalformed<FormTests.Point>("81 a158 a161", "$.X is a string; Point.X is a 32-bit integer (byte 4 of 5)");
        AssertMalformed<string>("a3 61", "ends too early at byte 1 of 2"); // the end of the stream
        AssertMalformed<FormTests.Point>("82 a158", "ends too early");
        AssertMalformed<int>("c1", "$ is not a value; a 32-bit integer is expected (byte 1 of 1)"); // a code that is never used
        AssertMalformed<object>("c7 03 64 010203", "at byte"); // the typeless extension
        AssertMalformed<int[]>("d4 62 00", "$ is an extension"); // the extension of compression
        AssertMalformed<ContractTests.Animal>("92 05 80", "match Animal: $ is of a number that the union does not have");
        AssertMalformed<ContractTests.Animal>("a161", "match Animal: $ is a string");
        AssertMalformed<Dictionary<object, int>>("81 90 01", "TypeAccessException"); // the guard against hash collisions
        AssertMalformed<Dictionary<string, int>>("82 a161 01 a161 02", "ArgumentException"); // a key twice
        AssertMalformed<Headers>("81 a120 a162", "not MessagePack for Headers"); // a name with a blank
        AssertMalformed<Guid>("a161", "not MessagePack for Guid");
        AssertMalformed<DateTime>("c7 0c ff 00000000 7fffffffffffffff", "ArgumentOutOfRangeException");
        AssertMalformed<Age>("81 a55965617273 ff", "refused with ArgumentOutOfRangeException"); // a constructor that refuses the value
        AssertMalformed<int>("c0", "$ is null; a 32-bit integer and not nullable is expected (byte 1 of 1)");
        AssertMalformed<int[,]>("93 03 03 91 01", "not MessagePack for Int32[,]"); // lengths that do not match
    }

    [TestCase("0000")]
    [TestCase("00 c1")]
    [TestCase("80 80")]
    public void Bytes_after_the_value_are_refused(string hex) =>
        AssertMalformed<JsonElement>(hex, "1 bytes after the JsonElement, which ends at byte 1");

    [Test]
    public void The_message_names_type_and_position_and_never_the_content()
    {
        var map = _packed.Bytes(new Dictionary<string, string> { ["X"] = "topsecret" });
        var failure = Assert.Throws<MalformedBodyException>(() => _packed.Deserialize<FormTests.Point>(map))!;
        Assert.That(failure.Message, Does.Contain("Point").And.Contain("byte").And.Not.Contain("topsecret"));
        failure = Assert.Throws<MalformedBodyException>(() => _packed.Deserialize<decimal>(_packed.Bytes("topsecret")))!;
        Assert.That(failure.Message, Does.Contain("Decimal").And.Not.Contain("topsecret"));
    }

    [Test]
    public async Task A_malformed_body_is_400_and_no_handler_runs()
    {
        var calls = 0;
        var texts = new RequestTopic<string, string>("malformed.ask");
        var numbers = new RequestTopic<int, string>("malformed.ask");
        await using var node = await TestNode.StartAsync(
            mesh => mesh.AddInMemoryTransport().AddMessagePackSerializer().AddHandler(numbers, (_, _) => $"{++calls}"),
            [("Serializer", "MessagePack")]);

        var reply = await node.Bus.TryRequestAsync(texts, "no number");

        Assert.That((reply.Status, reply.Failure!.NotProcessed, calls), Is.EqualTo((StatusCode.BadRequest, true, 0)));
        Assert.That(reply.Failure.Message, Does.Contain("$ is a string; a 32-bit integer is expected"));
    }

    private void AssertMalformed<T>(string hex, string expected) =>
        Assert.That(() => _packed.FromHex<T>(hex), Throws.TypeOf<MalformedBodyException>().With.Message.Contains(expected), hex);

    public sealed record Age
    {
        public Age(int years)
        {
            ArgumentOutOfRangeException.ThrowIfNegative(years);
            Years = years;
        }

        public int Years { get; }
    }
}
