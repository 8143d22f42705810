using System.Buffers;
using System.Text;
using System.Text.Json.Serialization;
using NUnit.Framework;

namespace ServiceMesh.Core.Tests;

/// <summary>A body matches its type, or is refused with what was found and what was expected.</summary>
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
public sealed partial class ContractTests
{
    private readonly JsonMessageSerializer _json = new();

    [TestCase("""{"City":"x","N":"1"}""", "$.N is a string; Q.N is a 32-bit integer")]
    [TestCase("""{"City":"x","N":3000000000}""", "$.N is a number that does not fit; Q.N is a 32-bit integer")]
    [TestCase("""{"City":"x","N":null}""", "$.N is null; Q.N is a 32-bit integer and not nullable")]
    [TestCase("""{"City":null,"N":1}""", "$.City is null; Q.City is a string and not nullable")]
    [TestCase("""{"City":7,"N":1}""", "$.City is a number; Q.City is a string")]
    [TestCase("""{"City":"x"}""", "$.N is missing; Q.N is a 32-bit integer and required")]
    [TestCase("""{"customer":1}""", "$.City is missing; Q.City is a string and required")]
    [TestCase("""{"City":"x","N":1,"Lines":{}}""", "$.Lines is an object; Q.Lines is an array (Line[])")]
    [TestCase("""{"City":"x","N":1,"Lines":[{"Id":"nonsense"}]}""", "$.Lines[0].Id is a string of another form; Line.Id is a GUID")]
    [TestCase("""{"City":"x","N":1,"Lines":[7]}""", "$.Lines[0] is a number; an item of Q.Lines is an object (Line)")]
    [TestCase("""{"City":"x","N":1,"Map":{"a b":"1"}}""", "$.Map['a b'] is a string; a value of Q.Map is a decimal number")]
    [TestCase("""{"City":"x","N":1,"On":1}""", "$.On is a number; Q.On is a boolean")]
    [TestCase("""{"City":"x","N":1,"Perhaps":"2"}""", "$.Perhaps is a string; Q.Perhaps is a 32-bit integer")]
    [TestCase("""{"City":"x","N":1,"Shape":{"Radius":1}}""", "$.Shape is an object without '$type'; Q.Shape is one of 'circle'")]
    [TestCase(
        """{"City":"x","N":1,"Shape":{"$type":"oval"}}""", "$.Shape is an object whose '$type' is unknown; Q.Shape is one of 'circle'")]
    [TestCase(
        """{"City":"x","N":1,"Shape":{"$type":"circle","Radius":"1"}}""", "$.Shape.Radius is a string; Circle.Radius is a 32-bit integer")]
    [TestCase("""[]""", "$ is an array; an object (Q) is expected")]
    public void What_was_found_and_what_was_expected_is_said(string body, string said)
    {
        var failure = Refusal<Q>(body);
        Assert.That(failure.Message, Does.StartWith($"The body does not match Q: {said} (line 1, byte "));
        Assert.That(failure.Message, Does.EndWith(").").And.Not.Contain("nonsense"));
    }

    [Test]
    public void Values_of_other_shapes_than_objects_are_checked_too()
    {
        Assert.That(Refusal<int>("\"1\"").Message, Does.Contain("$ is a string; a 32-bit integer is expected"));
        Assert.That(Refusal<int[]>("[1,true]").Message, Does.Contain("$[1] is a boolean; an item is a 32-bit integer"));
        Assert.That(Refusal<int[]>("[1,null]").Message, Does.Contain("$[1] is null; an item is a 32-bit integer and not nullable"));
        Assert.That(Refusal<Dictionary<string, bool>>("""{"a":1}""").Message, Does.Contain("$.a is a number; a value is a boolean"));
        Assert.That(Refusal<DayOfWeek>("[]").Message, Does.Contain("DayOfWeek"));
    }

    [Test]
    public void A_name_from_the_body_is_bounded_and_printable()
    {
        var key = new string('k', 10_000);
        Assert.That(Refusal<Dictionary<string, bool>>($$"""{"{{key}}":1}""").Message, Has.Length.LessThan(300));
        Assert.That(Refusal<Dictionary<string, bool>>("""{"a\nb":1}""").Message, Does.Contain("$['a?b'] is a number"));
    }

    [TestCase("""{"city":"x","n":1}""")]
    [TestCase("""{"CITY":"x","N":1}""")]
    [TestCase("""{"City":"x","N":1,"Unknown":{"a":[1]}}""")]
    public void Names_match_without_case_and_unknown_members_are_ignored(string body) =>
        Assert.That(Read<Q>(_json, body), Is.EqualTo(new Q("x", 1)));

    [Test]
    public void Exact_contracts_refuse_unknown_members_and_still_match_without_case()
    {
        var exact = _json.WithExactContracts();
        Assert.That(Read<Q>(exact, """{"city":"x","n":1}"""), Is.EqualTo(new Q("x", 1)));
        Assert.That(
            () => Read<Q>(exact, """{"City":"x","N":1,"Lines":[{"Id":"7a9b6a9e-2f5e-4d2c-8f5b-1f2d3c4b5a69","Weight":1}]}"""),
            Throws.TypeOf<MalformedBodyException>().With.Message.Contains(
                "$.Lines[0].Weight is unknown; Line does not have such a member, and Contracts is Exact"));
    }

    [Test]
    public void A_member_that_a_new_object_leaves_null_is_required()
    {
        Assert.That(Refusal<Plain>("{}").Message, Does.Contain("$.Name is missing; Plain.Name is a string and required"));
        var read = Read<Plain>(_json, """{"name":"x"}""")!;
        Assert.That((read.Name, read.Note, read.Kind), Is.EqualTo(("x", (string?)null, "plain")), "the others keep their defaults");
    }

    [Test]
    public void A_member_of_a_struct_that_must_not_be_null_is_required() => Assert.That(
        Refusal<Half>("""{"Client":"x","Amount":1}""").Message,
        Does.Contain("$.Customer is missing; Half.Customer is a string and required"));

    [Test]
    public void A_name_of_the_options_is_in_the_path_and_the_name_in_the_source_beside_it()
    {
        var json = new JsonMessageSerializer(new() { PropertyNamingPolicy = System.Text.Json.JsonNamingPolicy.KebabCaseLower });
        Assert.That(
            () => Read<Plain>(json, """{"name":5}"""),
            Throws.TypeOf<MalformedBodyException>().With.Message.Contains("$.name is a number; Plain.Name is a string"));
    }

    [Test]
    public void A_required_keyword_and_an_inherited_member_count()
    {
        Assert.That(Refusal<Child>("""{"Own":1}""").Message, Does.Contain("$.Name is missing; Parent.Name is a string and required"));
        Assert.That(Refusal<Child>("""{"Own":1,"Name":5}""").Message, Does.Contain("$.Name is a number; Parent.Name is a string"));
    }

    [Test]
    public void A_source_generated_context_is_checked_in_the_same_way()
    {
        var generated = new JsonMessageSerializer(new() { TypeInfoResolver = ContractsJson.Default });
        foreach (var body in (string[])["""{"City":null,"N":1}""", """{"City":"x"}""", """{"City":"x","N":"1"}"""])
        {
            Assert.That(
                Assert.Throws<MalformedBodyException>(() => Read<Q>(generated, body))!.Message, Is.EqualTo(Refusal<Q>(body).Message));
        }

        Assert.That(() => Read<Plain>(generated, "{}"), Throws.TypeOf<MalformedBodyException>().With.Message.Contains("$.Name is missing"));
    }

    [Test]
    public void A_value_with_null_where_the_type_forbids_it_is_not_written() =>
        Assert.That(
            () => Write(new Q(null!, 1)),
            Throws.TypeOf<NotSupportedException>().With.Message.EqualTo(
                "A value of type Q cannot be written as JSON. $.City is null, and the type says that it must not be. "
                + "Give it a value, or make the member nullable."));

    [Test]
    public void What_cannot_be_written_is_one_kind_of_exception_with_type_and_remedy()
    {
        var cycle = new Tree();
        cycle.Next = cycle;
        AssertUnwritable(
            cycle, "A value of type Tree cannot be written as JSON. It is nested deeper than 64 levels, or it contains itself.");
        AssertUnwritable(double.NaN, "A value of type Double cannot be written as JSON. It contains NaN or an infinity");
        AssertUnwritable(new[] { new Ratio(float.PositiveInfinity) }, "A value of type Ratio[] cannot be written as JSON. It contains NaN");
        AssertUnwritable<Shape>(new Oval(), "A value of type Shape cannot be written as JSON. Runtime type");
        AssertUnwritable<IThing>(new Thing(1), "JSON cannot carry IThing. IThing is an interface");
        AssertUnwritable<Thingy>(new Thing(1), "JSON cannot carry Thingy. Thingy is an abstract class");
    }

    private void AssertUnwritable<T>(T value, string said) =>
        Assert.That(() => Write(value), Throws.TypeOf<NotSupportedException>().With.Message.StartsWith(said));

    private MalformedBodyException Refusal<T>(string body) => Assert.Throws<MalformedBodyException>(() => Read<T>(_json, body))!;

    private static T? Read<T>(IMessageSerializer json, string body) => json.Deserialize<T>(Encoding.UTF8.GetBytes(body));

    private void Write<T>(T value) => _json.Serialize(value, new ArrayBufferWriter<byte>());

    internal sealed record Q(
        string City, int N, bool On = false, int? Perhaps = null, Line[]? Lines = null, Dictionary<string, decimal>? Map = null,
        Shape? Shape = null);

    internal sealed record Line(Guid Id);

    internal record struct Half(string Customer, int Amount);

    [JsonDerivedType(typeof(Circle), "circle")]
    internal abstract record Shape;

    internal sealed record Circle(int Radius) : Shape;

    internal sealed record Oval : Shape;

    internal sealed class Plain
    {
        public string Name { get; set; } = null!;

        public string? Note { get; set; }

        public string Kind { get; set; } = "plain";
    }

    internal abstract class Parent
    {
        public required string Name { get; init; }
    }

    internal sealed class Child : Parent
    {
        public int Own { get; init; }
    }

    internal sealed class Tree
    {
        public Tree? Next { get; set; }
    }

    internal sealed record Ratio(float Value);

    internal interface IThing
    {
        int Value { get; }
    }

    internal abstract record Thingy(int Value);

    internal sealed record Thing(int Value) : Thingy(Value), IThing;

    [JsonSerializable(typeof(Q))]
    [JsonSerializable(typeof(Plain))]
    internal sealed partial class ContractsJson : JsonSerializerContext;
}
