using System.Text;
using System.Text.Json.Serialization;
using FsCheck;
using FsCheck.Fluent;
using NUnit.Framework;

namespace ServiceMesh.Core.Tests;

[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
public sealed class MalformedBodyTests
{
    private readonly JsonMessageSerializer _json = new();

    [TestCase(
        "{\"City\":\"x\",\n\"Degrees\":\"topsecret\"}", "$.Degrees is a string; Reading.Degrees is a 32-bit integer (line 2, byte 22)")]
    [TestCase("topsecret", "$, line 1, byte 2")]
    [TestCase("{\"City\":\"topsecret\"", "line 1")]
    [TestCase("[\"topsecret\"]", "$ is an array; an object (Reading) is expected (line 1, byte 2)")]
    [TestCase("{\"City\":\"topsecret\",\"Degrees\":1,\"Note\":null} trailing", "line 1, byte 46")]
    [TestCase("{\"City\":\"topsecret\"}", "$.Degrees is missing; Reading.Degrees is a 32-bit integer and required")]
    public void The_message_names_type_and_position_and_never_the_content(string body, string position)
    {
        var failure = Assert.Throws<MalformedBodyException>(() => _json.Deserialize<Reading>(Encoding.UTF8.GetBytes(body)))!;
        Assert.That(failure.Message, Does.Contain("Reading").And.Contains(position).And.Not.Contain("topsecret"));
    }

    [Test]
    public void A_value_that_the_type_itself_refuses_is_a_malformed_body()
    {
        var failure = Assert.Throws<MalformedBodyException>(() => _json.Deserialize<Age>("""{"Years":-424242}"""u8.ToArray()))!;
        Assert.That(failure.Message, Does.Contain("Age").And.Not.Contain("424242"));
        Assert.That(failure.InnerException, Is.TypeOf<ArgumentOutOfRangeException>());
    }

    [Test]
    public void A_lack_of_memory_is_not_a_malformed_body() =>
        Assert.That(() => _json.Deserialize<Huge>("""{"Size":1}"""u8.ToArray()), Throws.InstanceOf<OutOfMemoryException>());

    [Test]
    public void A_polymorphic_value_without_its_discriminator_is_a_malformed_body()
    {
        Assert.That(_json.Deserialize<Shape>("""{"$type":"circle","Radius":2}"""u8.ToArray()), Is.EqualTo(new Circle(2)));
        Assert.That(
            () => _json.Deserialize<Shape>("{}"u8.ToArray()), Throws.TypeOf<MalformedBodyException>().With.Message.Contains("Shape"));
    }

    [Test]
    public void A_body_that_nests_too_deeply_is_a_malformed_body() =>
        Assert.That(
            () => _json.Deserialize<System.Text.Json.Nodes.JsonNode>(Encoding.UTF8.GetBytes(new string('[', 100_000))),
            Throws.TypeOf<MalformedBodyException>());

    [Test]
    public void Any_bytes_are_read_or_throw_MalformedBodyException()
    {
        byte[][] seeds =
        [
            """{"City":"p\u00fcne","Degrees":-7,"Note":null}"""u8.ToArray(),
            """{"$type":"circle","Radius":2}"""u8.ToArray(),
            """{"Years":3}"""u8.ToArray(),
            """["a",1,2.5e3,{"b":[true,false,null]},"\ud83d\ude00"]"""u8.ToArray(),
        ];
        var bytes = Gen.Choose(0, 255).Select(b => (byte)b).ArrayOf();
        var mutated =
            from seed in Gen.Elements(seeds)
            from edits in (from at in Gen.Choose(0, 60) from to in Gen.Choose(0, 255) select (at, to)).ArrayOf(3)
            from cut in Gen.Choose(0, 60)
            select edits.Aggregate(seed.Take(cut).ToArray(), (body, edit) =>
            {
                if (edit.at < body.Length)
                {
                    body[edit.at] = (byte)edit.to;
                }

                return body;
            });
        Check.One(TopicGenerators.Seeded.WithMaxTest(3000), Prop.ForAll(Gen.OneOf(bytes, mutated).ToArbitrary(), body =>
        {
            Read<Reading>(body);
            Read<Age>(body);
            Read<Shape>(body);
            Read<string>(body);
            Read<Guid>(body);
            Read<DayOfWeek>(body);
            Read<DateTimeOffset>(body);
            Read<Uri>(body);
            Read<byte[]>(body);
            Read<Dictionary<string, int[]>>(body);
            Read<Dictionary<DayOfWeek, decimal>>(body);
            Read<System.Text.Json.JsonElement>(body);
            Read<ErrorReport>(body);
        }));
    }

    private void Read<T>(byte[] body)
    {
        try
        {
            _json.Deserialize<T>(body);
        }
        catch (MalformedBodyException)
        {
        }
    }

    internal sealed record Age
    {
        public Age(int years)
        {
            ArgumentOutOfRangeException.ThrowIfNegative(years);
            Years = years;
        }

        public int Years { get; }
    }

    [JsonPolymorphic]
    [JsonDerivedType(typeof(Circle), "circle")]
    internal abstract record Shape;

    internal sealed record Circle(int Radius) : Shape;

    private sealed class Huge
    {
        private int _size;

        public int Size
        {
            get => _size;
            set => _size = value == 0 ? 0 : throw new InsufficientMemoryException("There is no memory."); // an OutOfMemoryException
        }
    }
}
