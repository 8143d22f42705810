using System.Runtime.Serialization;
using System.Text.Json.Serialization;
using MessagePack;
using MessagePack.Formatters;
using MessagePack.Resolvers;
using NUnit.Framework;

namespace ServiceMesh.MessagePack.Tests;

/// <summary>Which members of a type are serialized, and under which names.</summary>
public sealed class ContractTests
{
    private readonly MessagePackMessageSerializer _packed = new();

    [Test]
    public void Public_members_are_serialized_by_their_names_and_private_ones_are_not()
    {
        Assert.That(_packed.Hex(new Account { Owner = "o" }), Is.EqualTo(_packed.Hex(new Dictionary<string, string> { ["Owner"] = "o" })));
        var back = _packed.FromHex<Account>("82 a54f776e6572 a16f a75f736563726574 a178")!;
        Assert.That((back.Owner, back.Secret()), Is.EqualTo(("o", "unset")), "a private field is not read either");
    }

    [Test]
    public void Constructors_init_and_required_members_are_filled()
    {
        Assert.That(_packed.Back(new Full(1, "a") { Must = 2, Later = 3 }), Is.EqualTo(new Full(1, "a") { Must = 2, Later = 3 }));
        Assert.That(_packed.Back(new Generic<int> { Value = 5, Values = [6] })!.Values, Is.EqualTo([6]));
    }

    [Test]
    public void The_keys_of_a_marked_type_apply_to_members_that_are_not_public_too()
    {
        Assert.That(_packed.Hex(new Keyed(1, "b")), Is.EqualTo("92" + "01" + "a162"));
        Assert.That(_packed.Back(new Keyed(1, "b"))!.ToString(), Is.EqualTo("1 b"));
        Assert.That(_packed.Hex(new Hidden(5)), Is.EqualTo("81" + "a161" + "05"));
        Assert.That(_packed.Back(new Hidden(5))!.ToString(), Is.EqualTo("5"));
        Assert.That(_packed.Back(new Named("n", 1)), Is.EqualTo(new Named("n", 1)), "an internal record by names");
        Assert.That(_packed.Hex(new Locked { A = 1 }), Is.EqualTo("9101"), "a private field of a public type needs no mark");
        Assert.That(_packed.Hex(new Contract { A = 1, B = 2 }), Is.EqualTo("81" + "a161" + "01"), "DataContract");
    }

    [Test]
    public void A_private_setter_of_a_marked_member_is_used() =>
        Assert.That(_packed.Back(new Counted(7))!.Count, Is.EqualTo(7));

    [Test]
    public void A_union_names_the_types_of_a_hierarchy()
    {
        var dog = new Dog { Name = "d", Barks = 2 };
        Assert.That(_packed.Hex<Animal>(dog), Is.EqualTo("92" + "00" + "82" + "a44e616d65" + "a164" + "a54261726b73" + "02"));
        Assert.That(_packed.Back<Animal>(new Cat { Name = "c" }), Is.EqualTo(new Cat { Name = "c" }));
        Assert.That(_packed.Back(new Animal?[] { dog, null }), Is.EqualTo(new Animal?[] { dog, null }));
        Assert.That(() => _packed.FromHex<Animal>("92 05 80"), Throws.TypeOf<MalformedBodyException>(), "an unknown number");
    }

    [Test]
    public void The_attributes_of_System_Text_Json_are_ignored()
    {
        Assert.That(_packed.Hex(new Decorated { A = 1, B = 2 }), Is.EqualTo("82" + "a141" + "01" + "a142" + "02"));
        Assert.That(_packed.FromHex<Decorated>("81 a178 05")!.A, Is.Zero, "the name of JsonPropertyName is unknown here");
    }

    [Test]
    public void A_formatter_that_a_type_names_is_used() =>
        Assert.That(_packed.Hex(new Counting { 7, 8 }), Is.EqualTo("02"));

    [Test]
    public void The_resolver_of_the_application_takes_precedence_over_the_default()
    {
        var packed = new MessagePackMessageSerializer(new() { Resolver = CompositeResolver.Create(new Backwards()) });
        Assert.That(packed.Hex("abc"), Is.EqualTo("a3" + "636261"));
        Assert.That(packed.Back(new FormTests.Point(1, 2)), Is.EqualTo(new FormTests.Point(1, 2)));
        Assert.That(packed.Hex(new Full(1, "ab") { Must = 2 }), Does.Contain("a2" + "6261"), "for a member too");
    }

    [Test]
    public void A_resolver_for_all_types_does_not_apply_to_the_types_of_the_bus()
    {
        var packed = new MessagePackMessageSerializer(new() { Resolver = ContractlessStandardResolver.Instance });
        Assert.That(packed.Hex(Unit.Value), Is.EqualTo("80"));
        Assert.That(packed.Hex(System.Text.Json.JsonElement.Parse("[1]")), Is.EqualTo("9101"));
    }

    [Test]
    public void Changes_of_the_settings_after_registration_have_no_effect()
    {
        var settings = new MessagePackSerializerSettings();
        var packed = new MessagePackMessageSerializer(settings);
        settings.Resolver = CompositeResolver.Create(new Backwards());
        Assert.That(packed.Hex("abc"), Is.EqualTo("a3" + "616263"));
    }

    public sealed class Account
    {
        private string _secret = "unset";

        public string Owner { get; set; } = "";

        internal int Level { get; set; } = 7;

        public string Secret() => _secret ??= "";
    }

    public sealed record Full(int A, string B)
    {
        public required int Must { get; init; }

        public int Later { get; set; }

        public int Computed => A + Later;
    }

    public sealed class Generic<T>
    {
        public T? Value { get; init; }

        public List<T> Values { get; init; } = [];
    }

    [MessagePackObject]
    public sealed class Keyed(int a, string b)
    {
        [Key(0)]
        public int A { get; } = a;

        [Key(1)]
        internal string B { get; private set; } = b;

        public override string ToString() => $"{A} {B}";
    }

    [MessagePackObject]
    internal sealed class Hidden
    {
        [Key("a")]
        private int _a;

        [IgnoreMember]
        private readonly string _format = "D";

        public Hidden() { }

        public Hidden(int a) => _a = a;

        public override string ToString() => _a.ToString(_format, null);
    }

    [MessagePackObject(keyAsPropertyName: true)]
    internal sealed record Named(string Text, int Number);

    [MessagePackObject]
    public sealed class Locked
    {
        private readonly Lock _lock = new();

        [Key(0)]
        public int A { get; set; }

        public bool IsHeld() => _lock.IsHeldByCurrentThread;
    }

    [DataContract]
    public sealed class Contract
    {
        [DataMember(Name = "a")]
        public int A { get; set; }

        public int B { get; set; }
    }

    [MessagePackObject]
    public sealed class Counted
    {
        public Counted() { }

        public Counted(int count) => Count = count;

        [Key(0)]
        public int Count { get; private set; }
    }

    [Union(0, typeof(Dog))]
    [Union(1, typeof(Cat))]
    public abstract record Animal
    {
        public string Name { get; init; } = "";
    }

    public sealed record Dog : Animal
    {
        public int Barks { get; init; }
    }

    public sealed record Cat : Animal;

    public sealed class Decorated
    {
        [JsonPropertyName("x")]
        public int A { get; set; }

        [JsonIgnore]
        public int B { get; set; }
    }

    [MessagePackFormatter(typeof(HowMany))]
    public sealed class Counting : List<int>;

    public sealed class HowMany : IMessagePackFormatter<Counting?>
    {
        public void Serialize(ref MessagePackWriter writer, Counting? value, MessagePackSerializerOptions options) =>
            writer.Write(value!.Count);

        public Counting? Deserialize(ref MessagePackReader reader, MessagePackSerializerOptions options) => [reader.ReadInt32()];
    }

    private sealed class Backwards : IMessagePackFormatter<string?>
    {
        public void Serialize(ref MessagePackWriter writer, string? value, MessagePackSerializerOptions options) =>
            writer.Write(value is null ? null : string.Concat(value.Reverse()));

        public string? Deserialize(ref MessagePackReader reader, MessagePackSerializerOptions options) =>
            reader.ReadString() is { } text ? string.Concat(text.Reverse()) : null;
    }
}
