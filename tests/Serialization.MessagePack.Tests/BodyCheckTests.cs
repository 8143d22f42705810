using System.Runtime.Serialization;
using MessagePack;
using NUnit.Framework;

namespace ServiceMesh.MessagePack.Tests;

/// <summary>A body matches its type, as in JSON, or is refused with what was found and what was expected.</summary>
public sealed class BodyCheckTests
{
    private readonly MessagePackMessageSerializer _packed = new();

    [Test]
    public void What_was_found_and_what_was_expected_is_said()
    {
        AssertRefused<Q>("""{"City":"x","N":"nonsense"}""", "$.N is a string; Q.N is a 32-bit integer");
        AssertRefused<Q>("""{"City":"x","N":null}""", "$.N is null; Q.N is a 32-bit integer and not nullable");
        AssertRefused<Q>("""{"City":null,"N":1}""", "$.City is null; Q.City is a string and not nullable");
        AssertRefused<Q>("""{"City":7,"N":1}""", "$.City is an integer; Q.City is a string");
        AssertRefused<Q>("""{"City":"x"}""", "$.N is missing; Q.N is a 32-bit integer and required");
        AssertRefused<Q>("""{"customer":1}""", "$.City is missing; Q.City is a string and required");
        AssertRefused<Q>("""{"City":"x","N":1,"Lines":7}""", "$.Lines is an integer; Q.Lines is an array (Line[])");
        AssertRefused<Q>("""{"City":"x","N":1,"Lines":[7]}""", "$.Lines[0] is an integer; an item of Q.Lines is an object (Line)");
        AssertRefused<Q>(
            """{"City":"x","N":1,"Lines":[{"Weight":true}]}""", "$.Lines[0].Weight is a boolean; Line.Weight is a 64-bit number");
        AssertRefused<Q>("""{"City":"x","N":1,"Map":{"a b":true}}""", "$.Map['a b'] is a boolean; a value of Q.Map is a decimal number");
        AssertRefused<int[]>("[1,true]", "$[1] is a boolean; an item is a 32-bit integer");
        AssertRefused<(int, string)>("[1,2]", "$[1] is an integer; an item is a string");
    }

    [Test]
    public void A_lack_of_memory_is_not_a_fault_of_the_body()
    {
        var failure = Assert.Catch(() => _packed.Deserialize<Huge>(Body("""{"Size":1}""")))!;

        Assert.That(failure, Is.Not.TypeOf<MalformedBodyException>());
        Assert.That(failure.GetBaseException(), Is.InstanceOf<OutOfMemoryException>());
    }

    [Test]
    public void Names_match_without_case_at_every_level_and_unknown_members_are_ignored()
    {
        var sent = Body("""{"city":"x","N":1,"LINES":[{"weight":1.5,"color":"red"}],"more":{"a":[1]}}""");
        var read = _packed.Deserialize<Q>(sent)!;
        Assert.That((read.City, read.N, read.Lines!.Single()), Is.EqualTo(("x", 1, new Line(1.5))));
        byte[] longer = [.. sent, 0xc0];
        Assert.That(
            () => _packed.Deserialize<Q>(longer), Throws.TypeOf<MalformedBodyException>().With.Message.Contains("1 bytes after the Q"));
    }

    [Test]
    public void Names_that_differ_in_case_only_match_exactly()
    {
        var read = _packed.Deserialize<Twice>(Body("""{"Id":1,"ID":2,"iD":3}"""))!;
        Assert.That((read.Id, read.ID), Is.EqualTo((1, 2)));
    }

    [Test]
    public void Exact_contracts_refuse_unknown_members()
    {
        var exact = _packed.WithExactContracts();
        var failure = Assert.Throws<MalformedBodyException>(() =>
            exact.Deserialize<Q>(Body("""{"City":"x","N":1,"Lines":[{"Weight":1.5,"Color":"red"}]}""")))!;
        Assert.That(failure.Message, Does.Contain("$.Lines[0].Color is unknown; Line does not have such a member, and Contracts is Exact"));
        Assert.That(exact.Deserialize<Q>(Body("""{"city":"x","n":1}"""))!.City, Is.EqualTo("x"));
        Assert.That(
            () => exact.FromHex<Keyed>("93 01 a161 05"), Throws.TypeOf<MalformedBodyException>().With.Message.Contains("$[2] is unknown"));
    }

    [Test]
    public void Members_with_numbers_are_checked_by_their_places()
    {
        Assert.That(_packed.FromHex<Keyed>("93 01 a161 05")!.Name, Is.EqualTo("a"), "a newer version has another member");
        Assert.That(Refusal<Keyed>("91 01"), Does.Contain("$[1] is missing; Keyed.Name is a string and required"));
        Assert.That(Refusal<Keyed>("92 01 c0"), Does.Contain("$[1] is null; Keyed.Name is a string and not nullable"));
        Assert.That(Refusal<Keyed>("92 a161 a161"), Does.Contain("$[0] is a string; Keyed.Number is a 32-bit integer"));
        Assert.That(Refusal<Gap>("91 c0"), Does.Contain("$[3] is missing; Gap.Name is a string and required"));
        Assert.That(_packed.FromHex<Gap>("94 c0 c0 c0 a161")!.Name, Is.EqualTo("a"));
        Assert.That(Refusal<Contract>("80"), Does.Contain("$.n is missing; Contract.Name is a string and required"));
    }

    [Test]
    public void A_member_that_a_new_object_leaves_null_is_required_and_others_are_not()
    {
        Assert.That(Refusal<Plain>("80"), Does.Contain("$.Name is missing; Plain.Name is a string and required"));
        var read = _packed.Deserialize<Plain>(Body("""{"name":"x"}"""))!;
        Assert.That((read.Name, read.Note, read.Kind), Is.EqualTo(("x", (string?)null, "plain")));
        Assert.That(Refusal<Must>("80"), Does.Contain("$.Count is missing; Must.Count is a 32-bit integer and required"));
        Assert.That(_packed.Deserialize<Envelope<string?>>(_packed.Bytes(new Envelope<string?>(null)))!.Value, Is.Null);
    }

    [Test]
    public void A_nullable_value_may_be_null_and_is_checked_otherwise()
    {
        var none = _packed.Back(new Perhaps(null, null, null, []))!;
        Assert.That((none.Number, none.Day, none.Place), Is.EqualTo(((int?)null, (DayOfWeek?)null, (FormTests.Place?)null)));
        AssertRefused<Perhaps>(
            """{"Number":"1","Day":null,"Place":null,"All":[]}""", "$.Number is a string; Perhaps.Number is a 32-bit integer or null");
        AssertRefused<Perhaps>(
            """{"Number":null,"Day":"x","Place":null,"All":[]}""", "$.Day is a string; Perhaps.Day is a value of DayOfWeek");
        AssertRefused<Perhaps>(
            """{"Number":null,"Day":null,"Place":{"X":1},"All":[]}""", "$.Place.Y is missing; Place.Y is a 32-bit integer and required");
        AssertRefused<Perhaps>(
            """{"Number":null,"Day":null,"Place":null,"All":[null,true]}""",
            "$.All[1] is a boolean; an item of Perhaps.All is a 64-bit integer or null");
    }

    [Test]
    public void A_union_is_checked_within_its_type()
    {
        Assert.That(
            Refusal<ContractTests.Animal>("92 00 81 a54261726b73 a161"),
            Does.Contain("$.Barks is a string; Dog.Barks is a 32-bit integer"));
        Assert.That(Refusal<ContractTests.Animal>("92 07 80"), Does.Contain("$ is of a number that the union does not have"));
    }

    [Test]
    public void A_type_without_state_is_an_empty_map()
    {
        Assert.That(_packed.Hex(new Marker()), Is.EqualTo("80"));
        Assert.That(_packed.Back(new Marker()), Is.EqualTo(new Marker()));
        Assert.That(_packed.FromHex<Marker>("81 a178 01"), Is.EqualTo(new Marker()));
        Assert.That(_packed.Back<Marker?>(null), Is.Null);
        Assert.That(() => _packed.FromHex<Marker>("01"), Throws.TypeOf<MalformedBodyException>());
    }

    [Test]
    public void Types_that_lose_data_are_refused_with_type_member_and_remedy()
    {
        AssertLossy<GetOnlyList>("GetOnlyList has a member 'Items' that is never read", "[IgnoreMember]");
        AssertLossy<PrivateSetter>("PrivateSetter has a member 'Name' that is never read", "public setter");
        AssertLossy<KeyedList>("KeyedList has a member 'Items' that is never read", "init");
        AssertLossy<Page>("Page is a collection, and its member 'Total' does not travel", "Put the collection into a member");
        AssertLossy<PageOf<int>>("PageOf<Int32> is a collection, and its member 'Total' does not travel", "[IgnoreMember]");
        AssertLossy<List<Page?>>("Page is a collection", "[IgnoreMember]");
        Assert.That(_packed.Back(new Stack<int>([1, 2, 3])), Is.EqualTo(new Stack<int>([1, 2, 3])));
    }

    private void AssertLossy<T>(params string[] said)
    {
        var refusal = Assert.Throws<NotSupportedException>(_packed.EnsureSupported<T>, TypeWords.Name(typeof(T)))!;
        Assert.Multiple(() => Array.ForEach(said, part => Assert.That(refusal.Message, Does.Contain(part))));
    }

    private void AssertRefused<T>(string json, string said)
    {
        var failure = Assert.Throws<MalformedBodyException>(() => _packed.Deserialize<T>(Body(json)), said)!;
        Assert.That(failure.Message, Does.StartWith($"The body does not match {TypeWords.Name(typeof(T))}: {said} (byte "));
        Assert.That(failure.Message, Does.Not.Contain("nonsense"));
    }

    // The body that a peer would write for this JSON value.
    private byte[] Body(string json) => _packed.Bytes(System.Text.Json.JsonElement.Parse(json));

    private string Refusal<T>(string hex) => Assert.Throws<MalformedBodyException>(() => _packed.FromHex<T>(hex))!.Message;

    public sealed record Q(string City, int N, Line[]? Lines = null, Dictionary<string, decimal>? Map = null);

    public sealed record Line(double Weight);

    public sealed record Perhaps(int? Number, DayOfWeek? Day, FormTests.Place? Place, long?[] All);

    public sealed record Marker;

    public sealed record Envelope<T>(T Value);

#pragma warning disable CA1708 // The test is about such names.
    public sealed class Twice
    {
        public int Id { get; set; }

        public int ID { get; set; }
    }
#pragma warning restore CA1708

    [MessagePackObject]
    public sealed record Keyed([property: Key(0)] int Number, [property: Key(1)] string Name);

    [MessagePackObject]
    public sealed class Gap
    {
        [Key(3)]
        public required string Name { get; set; }
    }

    [DataContract]
    public sealed class Contract
    {
        [DataMember(Name = "n")]
        public string Name { get; set; } = null!;
    }

    public sealed class Plain
    {
        public string Name { get; set; } = null!;

        public string? Note { get; set; }

        public string Kind { get; set; } = "plain";
    }

    public sealed class Must
    {
        public required int Count { get; set; }
    }

    public sealed class GetOnlyList
    {
        public int Kept { get; set; }

        public List<int> Items { get; } = [];
    }

    [MessagePackObject]
    public sealed class KeyedList
    {
        [Key(0)]
        public List<int> Items { get; } = [];
    }

    public sealed class PrivateSetter
    {
        public int Kept { get; set; }

        public string Name { get; private set; } = "";

        public void Rename(string name) => Name = name;
    }

    public sealed class Page : List<int>
    {
        public int Total { get; set; }
    }

    public sealed class PageOf<T> : List<T>
    {
        public int Total { get; set; }
    }

    public sealed class Huge
    {
        private int _size;

        public int Size
        {
            get => _size;
            set => _size = value == 0 ? 0 : throw new InsufficientMemoryException("There is no memory."); // an OutOfMemoryException
        }
    }
}
