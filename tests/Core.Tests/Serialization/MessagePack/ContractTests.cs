using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;
using NUnit.Framework;

namespace ServiceMesh.Core.Tests;

/// <summary>A type's JSON contract holds in MessagePack too. Bodies are written here as the JSON that they stand for.</summary>
[TestFixture(true)]
[TestFixture(false)]
public sealed class ContractTests(bool isDynamic)
{
    [Test]
    public void Names_come_from_the_contract()
    {
        AssertWritten(new Names { First = 1, Second = 2 }, """{"first":1,"2nd":2}""", new() { PropertyNamingPolicy = JsonNamingPolicy.CamelCase });
        var ignoring = Packed.Serializer(isDynamic, new() { PropertyNameCaseInsensitive = true });
        Assert.That(ignoring.Deserialize<Names>(Body("""{"FIRST":1,"2ND":2}"""))!.Second, Is.EqualTo(2));
        Assert.That(Read<Names>("""{"first":1}""")!.First, Is.Zero, "case matters unless the options say otherwise");
        AssertWritten(new Dictionary<string, int> { ["Key"] = 1 }, """{"key":1}""", new() { DictionaryKeyPolicy = JsonNamingPolicy.CamelCase });
    }

    [Test]
    public void Members_are_found_in_any_order_and_unknown_ones_are_passed_over()
    {
        var read = Read<Reading>("""{"x":[1,{"City":"no"}],"Note":"n","Degrees":2,"City":"c","y":null}""");
        Assert.That(read, Is.EqualTo(new Reading("c", 2, "n")));
        Assert.That(Read<Reading>("""{"Degrees":2,"Degrees":3}""")!.Degrees, Is.EqualTo(3), "the last one counts");
    }

    [Test]
    public void Keys_that_are_no_strings_are_unknown_members() =>
        Assert.That(Packed.Serializer(isDynamic).FromHex<Reading>("83 01c0 c403010203 05 a744656772656573 07")!.Degrees, Is.EqualTo(7));

    [Test]
    public void Unknown_members_and_duplicates_are_refused_where_the_contract_says_so()
    {
        AssertRefused<Closed>("""{"A":1,"B":2}""", "unknown to Closed");
        AssertRefused<Reading>("""{"Degrees":2,"Degrees":3}""", "'Degrees' occurs twice", new() { AllowDuplicateProperties = false });
        AssertRefused<Dictionary<string, int>>("""{"a":2,"a":3}""", "occurs twice", new() { AllowDuplicateProperties = false });
    }

    [Test]
    public void Required_members_must_be_there()
    {
        AssertRefused<Demanding>("""{"A":1}""", "Required members are missing: B, C");
        Assert.That(Read<Demanding>("""{"A":1,"C":null,"B":3}"""), Is.EqualTo(new Demanding { A = 1, B = 3, C = null }));
        AssertRefused<Reading>("""{"City":"c"}""", "Required members are missing: Degrees, Note", new() { RespectRequiredConstructorParameters = true });
    }

    [Test]
    public void Ignored_members_are_neither_written_nor_read()
    {
        AssertWritten(new Ignoring { Never = 1, Null = null, Zero = 0 }, "{}");
        AssertWritten(new Ignoring { Never = 1, Null = "n", Zero = 5 }, """{"Null":"n","Zero":5}""");
        Assert.That(Read<Ignoring>("""{"Never":9,"Zero":1}""")!.Never, Is.Zero);
        AssertWritten(new Reading("", 0, null), """{"City":"","Degrees":0}""", new() { DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull });
        AssertWritten(new Reading("", 0, null), """{"City":""}""", new() { DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingDefault });
        AssertWritten(new ReadOnly(3), "{}", new() { IgnoreReadOnlyProperties = true });
        AssertWritten(new ReadOnly(3), """{"Twice":6}""");
    }

    [Test]
    public void Null_is_refused_where_the_annotations_count()
    {
        JsonSerializerOptions strict = new() { RespectNullableAnnotations = true };
        AssertRefused<Reading>("""{"City":null,"Degrees":1,"Note":null}""", "'City' is nil", strict);
        Assert.That(Packed.Serializer(isDynamic, strict).Deserialize<Reading>(Body("""{"City":"c","Degrees":1,"Note":null}""")), Is.EqualTo(new Reading("c", 1, null)));
        Assert.That(() => Packed.Serializer(isDynamic, strict).Bytes(new Reading(null!, 1, null)), Throws.InvalidOperationException.With.Message.Contains("City"));
        Assert.That(Read<Reading>("""{"City":null,"Degrees":1}""")!.City, Is.Null, "by default they do not");
        AssertRefused<Reading>("""{"Degrees":null}""", "nil where an integer");
    }

    [Test]
    public void Constructors_get_what_was_read_and_otherwise_their_defaults()
    {
        var one = Packed.Serializer(isDynamic);
        Assert.That(one.Deserialize<Defaults>(Body("{}")), Is.EqualTo(new Defaults()));
        Assert.That(one.Deserialize<Defaults>(Body("""{"Text":"t","Later":4}""")), Is.EqualTo(new Defaults(Text: "t") { Later = 4 }));
        Assert.That(one.Deserialize<Defaults>(Body("""{"Number":1}""")), Is.EqualTo(new Defaults(Number: 1)), "nothing is left of the object before");
        Assert.That(Read<Chosen>("""{"A":1}""")!.By, Is.EqualTo("attribute"));
        AssertRefused<MalformedBodyTests.Age>("""{"Years":-1}""", "refused as Age with ArgumentOutOfRangeException");
        Assert.That(Read<MalformedBodyTests.Age>("""{"Years":3}""")!.Years, Is.EqualTo(3));
    }

    [Test]
    public void Many_members_are_told_apart()
    {
        var wide = new ManyMembers { M64 = 0, M65 = 0, M69 = 0 };
        foreach (var property in typeof(ManyMembers).GetProperties())
        {
            property.SetValue(wide, int.Parse(property.Name[1..], System.Globalization.CultureInfo.InvariantCulture));
        }

        var packed = Packed.Serializer(isDynamic);
        var back = packed.Back(wide)!;
        Assert.That(typeof(ManyMembers).GetProperties().Select(p => p.GetValue(back)), Is.EqualTo(typeof(ManyMembers).GetProperties().Select(p => p.GetValue(wide))));
        AssertRefused<ManyMembers>("""{"M64":1}""", "missing: M65, M69");
    }

    [Test]
    public void Derived_types_have_their_discriminator_wherever_it_stands()
    {
        AssertWritten<Animal>(new Dog { Name = "d", Barks = 2 }, """{"kind":"dog","Barks":2,"Name":"d"}""");
        AssertWritten<Animal>(new Cat { Name = "c" }, """{"kind":7,"Name":"c"}""");
        AssertWritten<Animal>(new Animal { Name = "a" }, """{"Name":"a"}""");
        AssertWritten<Animal?>(null, "null");
        Assert.That(Read<Animal>("""{"kind":"dog","Name":"d","Barks":2}"""), Is.EqualTo(new Dog { Name = "d", Barks = 2 }));
        Assert.That(Read<Animal>("""{"Name":"d","kind":"dog","Barks":2}"""), Is.EqualTo(new Dog { Name = "d", Barks = 2 }));
        Assert.That(Read<Animal>("""{"kind":7,"Name":"c"}"""), Is.EqualTo(new Cat { Name = "c" }));
        Assert.That(Read<Animal>("""{"Name":"a"}"""), Is.EqualTo(new Animal { Name = "a" }));
        Assert.That(Read<Animal[]>("""[{"kind":7,"Name":"c"},null]"""), Is.EqualTo(new[] { new Cat { Name = "c" }, null }));
        AssertRefused<Animal>("""{"kind":"fox"}""", "no known type discriminator of Animal");
        AssertRefused<MalformedBodyTests.Shape>("{}", "no type discriminator '$type', and Shape is abstract");
        Assert.That(() => Packed.Serializer(isDynamic).Bytes<Animal>(new Fox()), Throws.TypeOf<NotSupportedException>());
        AssertWritten<Vague>(new VeryVague { A = 1, B = 2 }, """{"A":1}""");
    }

    [Test]
    public void A_discriminator_is_known_in_every_form_and_in_two_pieces()
    {
        var packed = Packed.Serializer(isDynamic);
        // kind: 7 as an int32, "dog" as a str8, the key itself as a str16.
        Assert.That(packed.FromHex<Animal>("82 a46b696e64 d200000007 a44e616d65 a163"), Is.EqualTo(new Cat { Name = "c" }));
        Assert.That(packed.FromHex<Animal>("82 da00046b696e64 d903646f67 a44e616d65 a164"), Is.EqualTo(new Dog { Name = "d" }));
        Assert.That(() => packed.FromHex<Animal>("81 a46b696e64 cf8000000000000007"), Throws.TypeOf<MalformedBodyException>());
        foreach (var animal in new Animal[] { new Dog { Name = "d", Barks = 2 }, new Cat { Name = "c" } })
        {
            var body = packed.Bytes(animal);
            for (var cut = 0; cut <= body.Length; cut++)
            {
                Assert.That(packed.Deserialize<Animal>(Packed.InPieces(body, cut)), Is.EqualTo(animal), $"cut at {cut}");
            }
        }
    }

    [Test]
    public void Other_spellings_of_a_name_do_not_push_out_the_one_that_is_written()
    {
        var packed = Packed.Serializer(isDynamic, new() { Converters = { new JsonStringEnumConverter() } });
        for (var i = 1; i < 256; i++)
        {
            var spelling = string.Concat("Wednesday".Select((c, at) => (i >> at & 1) == 0 ? c : char.IsUpper(c) ? char.ToLowerInvariant(c) : char.ToUpperInvariant(c)));
            Assert.That(packed.Deserialize<DayOfWeek>(packed.Bytes(spelling)), Is.EqualTo(DayOfWeek.Wednesday));
        }

        if (isDynamic)
        {
            var body = packed.Bytes(DayOfWeek.Wednesday);
            packed.Deserialize<DayOfWeek>(body);
            var before = GC.GetAllocatedBytesForCurrentThread();
            packed.Deserialize<DayOfWeek>(body);
            Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.Zero, "it is remembered");
        }
    }

    [Test]
    public void A_member_with_a_converter_does_not_make_JSON_refuse_the_others()
    {
        var value = new Measured { Real = double.NaN, Cents = 5, Pair = (1, "one") };
        var back = Packed.Serializer(isDynamic).Back(value)!;
        Assert.That((back.Real, back.Cents, back.Pair), Is.EqualTo((double.NaN, 5, (1, "one"))));
    }

    [Test]
    public void A_collection_is_made_as_the_contract_says()
    {
        var options = new JsonSerializerOptions
        {
            TypeInfoResolver = new DefaultJsonTypeInfoResolver
            {
                Modifiers =
                {
                    contract =>
                    {
                        if (contract.Kind == JsonTypeInfoKind.None)
                        {
                            return;
                        }

                        contract.CreateObject = contract.Type == typeof(Dictionary<string, int>) ? () => new Dictionary<string, int>(StringComparer.OrdinalIgnoreCase)
                            : contract.Type == typeof(Dictionary<long, int>) ? () => new Dictionary<long, int>(100_003)
                            : contract.Type == typeof(List<int>) ? () => new List<int>(1009)
                            : contract.CreateObject;
                    },
                },
            },
        };
        var packed = Packed.Serializer(isDynamic, options);
        Assert.That(packed.Back(new Dictionary<string, int> { ["a"] = 1 })!["A"], Is.EqualTo(1));
        Assert.That(packed.Back(new Dictionary<long, int> { [1] = 1 })!.Capacity, Is.GreaterThanOrEqualTo(100_003));
        Assert.That(packed.Back(new List<int> { 1 })!.Capacity, Is.EqualTo(1009));
    }

    [Test]
    public void A_dictionary_with_the_generic_interface_only_is_written()
    {
        AssertWritten<IReadOnlyDictionary<string, int>>(new GenericOnly(), """{"a":1}""");
        System.Dynamic.ExpandoObject expando = new();
        ((IDictionary<string, object?>)expando)["b"] = 2;
        AssertWritten(expando, """{"b":2}""");
    }

    [Test]
    public void What_a_constructor_throws_is_named_as_itself() =>
        Assert.That(
            () => Packed.Serializer(isDynamic).FromHex<Choosy>("81 a3496e74 01"),
            Throws.TypeOf<MalformedBodyException>().With.Message.Contains("it is refused as Choosy with ArgumentException.").And.InnerException.TypeOf<ArgumentException>());

    [Test]
    public void A_type_without_a_contract_is_named_wherever_it_is()
    {
        var options = new JsonSerializerOptions { TypeInfoResolver = new Without<Choosy, Queue<int>>() };
        options.MakeReadOnly();
        var codecs = new CodecSet(options, isDynamic);
        AssertMissing<Choosy>();
        AssertMissing<List<Choosy>>();
        AssertMissing<Dictionary<string, Choosy[]>>();
        AssertMissing<ValueTuple<int, Choosy>>();
        AssertMissing<Queue<int>>();

        // What a serializer makes a sentence of.
        void AssertMissing<T>() => Assert.That(() => codecs.For<T>(), Throws.TypeOf<NotSupportedException>(), typeof(T).Name);
    }

    [Test]
    public void Null_for_a_collection_that_is_filled_and_cannot_be_replaced_is_refused_as_the_format_error()
    {
        // Not through the serializer, which makes every exception a malformed body.
        var codec = new CodecSet(BodyContracts.Complete(new()), isDynamic).For<Populated>();
        var body = Convert.FromHexString("81a54974656d73c0"); // { "Items": null }
        Assert.That(
            () =>
            {
                var reader = new MessagePackReader(body, maxDepth: 64);
                codec.Read(ref reader);
            },
            Throws.TypeOf<MessagePackException>().With.Message.Contains("does not fit its type"));
    }

    [Test]
    public void Text_that_is_not_UTF_8_is_refused_where_it_is_read_and_passed_over_where_nobody_knows_the_member()
    {
        // a1ff is a str of the one byte FF.
        var packed = Packed.Serializer(isDynamic);
        AssertNoText<string>("a1ff");
        AssertNoText<Reading>("81 a443697479 a1ff");
        AssertNoText<Dictionary<string, int>>("81 a1ff 01");
        AssertNoText<JsonElement>("91 a1ff");
        AssertNoText<JsonElement>("81 a1ff 01");
        AssertNoText<Open>("81 a178 a1ff");
        Assert.That(packed.FromHex<Reading>("83 a1ff 01 a178 a1ff a744656772656573 07")!.Degrees, Is.EqualTo(7));

        void AssertNoText<T>(string hex) =>
            Assert.That(() => packed.FromHex<T>(hex), Throws.TypeOf<MalformedBodyException>().With.Message.Contains("not UTF-8"), typeof(T).Name);
    }

    [Test]
    public void A_float32_read_as_a_decimal_has_its_own_digits() =>
        Assert.That(Packed.Serializer(isDynamic).FromHex<decimal>("ca3dcccccd"), Is.EqualTo(0.1m));

    [Test]
    public void Unknown_members_keep_keys_that_are_integers_and_empty_ones()
    {
        var packed = Packed.Serializer(isDynamic);
        // 5: 1, 6: 2, "": 3
        Assert.That(packed.FromHex<Open>("83 05 01 06 02 a0 03")!.Rest!.Select(r => $"{r.Key}={r.Value}"), Is.EquivalentTo(["5=1", "6=2", "=3"]));
        Assert.That(() => packed.FromHex<Open>("81 c0 01"), Throws.TypeOf<MalformedBodyException>().With.Message.Contains("neither a string nor an integer"));
        Assert.That(packed.FromHex<PopulatedOpen>("83 c0 01 a0 03 a54974656d73 9102")!.Rest!.Keys, Is.EqualTo([""]));
    }

    [Test]
    public void Enums_are_numbers_or_the_names_of_the_contract()
    {
        AssertWritten(DayOfWeek.Friday, "5");
        JsonSerializerOptions named = new() { Converters = { new JsonStringEnumConverter(JsonNamingPolicy.CamelCase) } };
        AssertWritten(DayOfWeek.Friday, "\"friday\"", named);
        AssertWritten((DayOfWeek)42, "42", named);
        AssertWritten(new[] { DayOfWeek.Friday, DayOfWeek.Friday }, """["friday","friday"]""", named);
        AssertWritten(AttributeTargets.Class | AttributeTargets.Enum, "\"class, enum\"", named);
        var packed = Packed.Serializer(isDynamic, named);
        for (var i = 0; i < 2; i++)
        {
            Assert.That(packed.Deserialize<DayOfWeek>(Body("\"friday\"")), Is.EqualTo(DayOfWeek.Friday));
            Assert.That(packed.Deserialize<DayOfWeek?>(Body("\"FRIDAY\"")), Is.EqualTo(DayOfWeek.Friday));
            Assert.That(packed.Deserialize<AttributeTargets>(Body("\"class, enum\"")), Is.EqualTo(AttributeTargets.Class | AttributeTargets.Enum));
        }

        AssertRefused<DayOfWeek>("\"someday\"", "does not fit", named);
        AssertRefused<DayOfWeek>("\"Friday\"", "");
        AssertRefused<Small>("256", "");
        AssertRefused<Small>("-1", "");
        Assert.That(Read<Small>("255"), Is.EqualTo((Small)255));
        Assert.That(Read<Huge>("18446744073709551615"), Is.EqualTo((Huge)ulong.MaxValue));
        AssertWritten((Huge)ulong.MaxValue, "18446744073709551615");
        AssertWritten(new OnMember { Day = DayOfWeek.Friday, Maybe = DayOfWeek.Monday }, """{"Day":"Friday","Maybe":"Monday","Plain":0}""");
        Assert.That(Read<OnMember>("""{"Day":"Friday","Maybe":null,"Plain":3}"""), Is.EqualTo(new OnMember { Day = DayOfWeek.Friday, Plain = DayOfWeek.Wednesday }));
    }

    [Test]
    public void A_converter_of_the_application_decides_what_is_written()
    {
        AssertWritten(new Money(5), "\"5 EUR\"");
        AssertWritten(new[] { new Money(5) }, """["5 EUR"]""");
        AssertWritten(new Priced { Cost = new(5), Id = default, Cents = 7 }, """{"Cost":"5 EUR","Cents":"7"}""", without: "Id");
        Assert.That(Read<Money>("\"5 EUR\""), Is.EqualTo(new Money(5)));
        AssertRefused<Money>("5", "does not fit");
        var id = Guid.NewGuid();
        Assert.That(Packed.Serializer(isDynamic).Back(new Priced { Cost = new(5), Id = id, Cents = 7 }), Is.EqualTo(new Priced { Cost = new(5), Id = id, Cents = 7 }));
    }

    [Test]
    public void What_the_contract_does_not_name_goes_where_it_says()
    {
        AssertWritten(new Open { A = 1, Rest = new() { ["b"] = JsonElement.Parse("[2]") } }, """{"A":1,"b":[2]}""");
        var read = Read<Open>("""{"b":[2],"A":1,"c":null}""")!;
        Assert.That(read.Rest!.Select(r => $"{r.Key}={r.Value}"), Is.EqualTo(["b=[2]", "c="]));
        var nodes = Read<OpenNode>("""{"b":[2],"A":1}""")!;
        Assert.That((nodes.A, nodes.Rest!.ToJsonString()), Is.EqualTo((1, """{"b":[2]}""")));
        var objects = Read<OpenObject>("""{"b":[2],"A":1}""")!;
        Assert.That(objects.Rest!["b"]!.ToString(), Is.EqualTo("[2]"));
        AssertWritten(objects, """{"A":1,"b":[2]}""");
        Assert.That(Read<OpenStruct>("""{"b":[2],"A":1}""").Rest!["b"].ToString(), Is.EqualTo("[2]"));
    }

    [Test]
    public void What_an_application_put_into_a_contract_is_called()
    {
        var options = new JsonSerializerOptions
        {
            TypeInfoResolver = new DefaultJsonTypeInfoResolver
            {
                Modifiers =
                {
                    contract =>
                    {
                        foreach (var property in contract.Properties.Where(p => p.Name == "City"))
                        {
                            var get = property.Get!;
                            property.Get = owner => $"<{get(owner)}>";
                            property.ShouldSerialize = (_, value) => (string?)value != "<hidden>";
                        }

                        if (contract.Type == typeof(Names))
                        {
                            contract.CreateObject = () => new Names { Second = 42 };
                            contract.Properties[0].Set = (owner, value) => ((Names)owner).First = (int)value! * 10;
                        }
                    },
                },
            },
        };
        AssertWritten(new Reading("x", 1, null), """{"City":"<x>","Degrees":1,"Note":null}""", options);
        AssertWritten(new Reading("hidden", 1, null), """{"Degrees":1,"Note":null}""", options);
        var read = Packed.Serializer(isDynamic, options).Deserialize<Names>(Body("""{"First":2}"""))!;
        Assert.That((read.First, read.Second), Is.EqualTo((20, 42)));
    }

    [Test]
    public void Callbacks_are_called()
    {
        var watched = new Watched { A = 1 };
        Packed.Serializer(isDynamic).Bytes(watched);
        Assert.That(watched.Said, Is.EqualTo("serializing serialized "));
        Assert.That(Read<Watched>("""{"A":2}""")!.Said, Is.EqualTo("deserializing deserialized "));
    }

    [Test]
    public void Collections_that_are_there_are_filled_where_the_contract_says_so()
    {
        Assert.That(Read<Populated>("""{"Items":[2,3]}""")!.Items, Is.EqualTo(new[] { 1, 2, 3 }));
        var id = Guid.NewGuid();
        Assert.That(Packed.Serializer(isDynamic).Back(new Populated { Id = id })!.Id, Is.EqualTo(id));
    }

    [Test]
    public void Types_may_contain_themselves()
    {
        var chain = new Chain(1, new(2, new(3, null)), []);
        AssertWritten(chain, """{"Id":1,"Next":{"Id":2,"Next":{"Id":3,"Next":null,"More":null},"More":null},"More":[]}""");
        Assert.That(JsonSerializer.Serialize(Packed.Serializer(isDynamic).Back(chain)), Is.EqualTo(JsonSerializer.Serialize(chain)));
        var own = new Own { new() { new() }, new() };
        Assert.That(JsonSerializer.Serialize(Packed.Serializer(isDynamic).Back(own)), Is.EqualTo("[[[]],[]]"));
    }

    [Test]
    public void An_object_is_written_as_what_it_is_and_read_as_json()
    {
        AssertWritten<object>(new Reading("x", 1, null), """{"City":"x","Degrees":1,"Note":null}""");
        AssertWritten<object?[]>([1, "a", null, new object()], """[1,"a",null,{}]""");
        Assert.That(Read<object>("""{"a":1}"""), Is.TypeOf<JsonElement>());
        Assert.That(Read<object>("null"), Is.Null);
        var nodes = Packed.Serializer(isDynamic, new() { UnknownTypeHandling = JsonUnknownTypeHandling.JsonNode });
        Assert.That(nodes.Deserialize<object>(Body("""{"a":1}""")), Is.TypeOf<JsonObject>());
    }

    [Test]
    public void References_are_preserved_where_the_options_say_so()
    {
        var packed = Packed.Serializer(isDynamic, new() { ReferenceHandler = ReferenceHandler.Preserve });
        var one = new Names { First = 1 };
        var back = packed.Back(new List<Names> { one, one })!;
        Assert.That(back[0], Is.SameAs(back[1]));
    }

    private T? Read<T>(string json) => Packed.Serializer(isDynamic).Deserialize<T>(Body(json));

    private void AssertWritten<T>(T value, string json, JsonSerializerOptions? options = null, string? without = null)
    {
        var written = Packed.Serializer(isDynamic, options).Deserialize<JsonNode>(Packed.Serializer(isDynamic, options).Bytes(value));
        if (without is not null)
        {
            ((JsonObject)written!).Remove(without);
        }

        Assert.That(written?.ToJsonString() ?? "null", Is.EqualTo(JsonNode.Parse(json)?.ToJsonString() ?? "null"));
    }

    private void AssertRefused<T>(string json, string message, JsonSerializerOptions? options = null) =>
        Assert.That(
            () => Packed.Serializer(isDynamic, options).Deserialize<T>(Body(json)),
            Throws.TypeOf<MalformedBodyException>().With.Message.Contains(message));

    // By hand, because JSON nodes have no duplicates.
    private static byte[] Body(string json)
    {
        var buffer = new System.Buffers.ArrayBufferWriter<byte>();
        var writer = new MessagePackWriter(buffer, maxDepth: 64, maxBytes: int.MaxValue);
        JsonText.Write(ref writer, JsonElement.Parse(json));
        writer.Flush();
        return buffer.WrittenSpan.ToArray();
    }

    internal sealed class Measured
    {
        public double Real { get; set; }

        [JsonConverter(typeof(Hundredths))]
        public int Cents { get; set; }

        public (int, string) Pair { get; set; }

        private sealed class Hundredths : JsonConverter<int>
        {
            public override int Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
                int.Parse(reader.GetString()!, System.Globalization.CultureInfo.InvariantCulture);

            public override void Write(Utf8JsonWriter writer, int value, JsonSerializerOptions options) =>
                writer.WriteStringValue(value.ToString(System.Globalization.CultureInfo.InvariantCulture));
        }
    }

    internal sealed class Choosy
    {
        public Choosy(int @int)
        {
            Int = @int == 0 ? 0 : throw new ArgumentException("Only 0 is allowed.");
        }

        public int Int { get; }
    }

    // Of one there is no contract at all, and of the other none for its way through JSON, which is asked for while a codec is made.
    private sealed class Without<TAll, TOnTheWay> : DefaultJsonTypeInfoResolver
    {
        public override JsonTypeInfo GetTypeInfo(Type type, JsonSerializerOptions options) =>
            type == typeof(TAll) || (type == typeof(TOnTheWay) && options.Converters.Count > 0) ? null! : base.GetTypeInfo(type, options);
    }

    [JsonObjectCreationHandling(JsonObjectCreationHandling.Populate)]
    internal sealed class PopulatedOpen
    {
        public List<int> Items { get; } = [];

        [JsonExtensionData]
        public Dictionary<string, JsonElement>? Rest { get; set; }
    }

    internal sealed class GenericOnly : IReadOnlyDictionary<string, int>
    {
        public int Count => 1;

        public IEnumerable<string> Keys => ["a"];

        public IEnumerable<int> Values => [1];

        public int this[string key] => 1;

        public bool ContainsKey(string key) => key == "a";

        public bool TryGetValue(string key, out int value)
        {
            value = 1;
            return key == "a";
        }

        public IEnumerator<KeyValuePair<string, int>> GetEnumerator() => Enumerable.Repeat(KeyValuePair.Create("a", 1), 1).GetEnumerator();

        System.Collections.IEnumerator System.Collections.IEnumerable.GetEnumerator() => GetEnumerator();
    }

    internal sealed class Names
    {
        public int First { get; set; }

        [JsonPropertyName("2nd")]
        public int Second { get; set; }
    }

    [JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
    internal sealed record Closed(int A);

    internal sealed record Demanding
    {
        public int A { get; set; }

        public required int B { get; set; }

        public required string? C { get; init; }
    }

    internal sealed class Ignoring
    {
        [JsonIgnore]
        public int Never { get; set; }

        [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
        public string? Null { get; set; }

        [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
        public int Zero { get; set; }
    }

    internal sealed class ReadOnly(int number)
    {
        public int Twice => number * 2;
    }

    internal sealed record Defaults(int Number = 7, string Text = "none", DayOfWeek Day = DayOfWeek.Friday, decimal? Cost = null)
    {
        public int Later { get; init; }
    }

    internal sealed class Chosen
    {
        public Chosen() => By = "default";

        [JsonConstructor]
        public Chosen(int a) => (A, By) = (a, "attribute");

        public int A { get; }

        [JsonIgnore]
        public string By { get; }
    }

    [JsonPolymorphic(TypeDiscriminatorPropertyName = "kind")]
    [JsonDerivedType(typeof(Dog), "dog")]
    [JsonDerivedType(typeof(Cat), 7)]
    internal record Animal
    {
        public string Name { get; set; } = "";
    }

    internal sealed record Dog : Animal
    {
        public int Barks { get; set; }
    }

    internal sealed record Cat : Animal;

    internal sealed record Fox : Animal;

    [JsonPolymorphic(UnknownDerivedTypeHandling = JsonUnknownDerivedTypeHandling.FallBackToBaseType)]
    [JsonDerivedType(typeof(Vague))]
    internal class Vague
    {
        public int A { get; set; }
    }

    internal sealed class VeryVague : Vague
    {
        public int B { get; set; }
    }

    internal enum Small : byte;

    internal enum Huge : ulong;

    internal sealed record OnMember
    {
        [JsonConverter(typeof(JsonStringEnumConverter))]
        public DayOfWeek Day { get; set; }

        [JsonConverter(typeof(JsonStringEnumConverter))]
        public DayOfWeek? Maybe { get; set; }

        public DayOfWeek Plain { get; set; }
    }

    [JsonConverter(typeof(Converter))]
    internal readonly record struct Money(int Amount)
    {
        private sealed class Converter : JsonConverter<Money>
        {
            public override Money Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
                new(int.Parse(reader.GetString()!.Split(' ')[0], System.Globalization.CultureInfo.InvariantCulture));

            public override void Write(Utf8JsonWriter writer, Money value, JsonSerializerOptions options) => writer.WriteStringValue($"{value.Amount} EUR");
        }
    }

    internal sealed record Priced
    {
        public Money Cost { get; set; }

        public Guid Id { get; set; }

        [JsonConverter(typeof(AsText))]
        public int Cents { get; set; }

        private sealed class AsText : JsonConverter<int>
        {
            public override int Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
                int.Parse(reader.GetString()!, System.Globalization.CultureInfo.InvariantCulture);

            public override void Write(Utf8JsonWriter writer, int value, JsonSerializerOptions options) => writer.WriteStringValue($"{value}");
        }
    }

    internal sealed class Open
    {
        public int A { get; set; }

        [JsonExtensionData]
        public Dictionary<string, JsonElement>? Rest { get; set; }
    }

    internal sealed record OpenNode(int A)
    {
        [JsonExtensionData]
        public JsonObject? Rest { get; set; }
    }

    internal struct OpenStruct
    {
        public int A { get; set; }

        [JsonExtensionData]
        public Dictionary<string, JsonElement>? Rest { get; set; }
    }

    internal sealed class OpenObject
    {
        public int A { get; set; }

        [JsonExtensionData]
        public IDictionary<string, object?>? Rest { get; set; }
    }

    internal sealed class Watched : IJsonOnSerializing, IJsonOnSerialized, IJsonOnDeserializing, IJsonOnDeserialized
    {
        public int A { get; set; }

        [JsonIgnore]
        public string Said { get; private set; } = "";

        public void OnSerializing() => Said += "serializing ";

        public void OnSerialized() => Said += "serialized ";

        public void OnDeserializing() => Said += A == 0 ? "deserializing " : "too late ";

        public void OnDeserialized() => Said += A == 2 ? "deserialized " : "too early ";
    }

    internal sealed class Populated
    {
        public Guid Id { get; set; }

        [JsonObjectCreationHandling(JsonObjectCreationHandling.Populate)]
        public List<int> Items { get; } = [1];
    }

    internal sealed record Chain(int Id, Chain? Next, List<Chain>? More = null);

    internal sealed class Own : List<Own>;

    internal sealed class ManyMembers
    {
        public int M0 { get; set; }

        public int M1 { get; set; }

        public int M2 { get; set; }

        public int M3 { get; set; }

        public int M4 { get; set; }

        public int M5 { get; set; }

        public int M6 { get; set; }

        public int M7 { get; set; }

        public int M8 { get; set; }

        public int M9 { get; set; }

        public int M10 { get; set; }

        public int M11 { get; set; }

        public int M12 { get; set; }

        public int M13 { get; set; }

        public int M14 { get; set; }

        public int M15 { get; set; }

        public int M16 { get; set; }

        public int M17 { get; set; }

        public int M18 { get; set; }

        public int M19 { get; set; }

        public int M20 { get; set; }

        public int M21 { get; set; }

        public int M22 { get; set; }

        public int M23 { get; set; }

        public int M24 { get; set; }

        public int M25 { get; set; }

        public int M26 { get; set; }

        public int M27 { get; set; }

        public int M28 { get; set; }

        public int M29 { get; set; }

        public int M30 { get; set; }

        public int M31 { get; set; }

        public int M32 { get; set; }

        public int M33 { get; set; }

        public int M34 { get; set; }

        public int M35 { get; set; }

        public int M36 { get; set; }

        public int M37 { get; set; }

        public int M38 { get; set; }

        public int M39 { get; set; }

        public int M40 { get; set; }

        public int M41 { get; set; }

        public int M42 { get; set; }

        public int M43 { get; set; }

        public int M44 { get; set; }

        public int M45 { get; set; }

        public int M46 { get; set; }

        public int M47 { get; set; }

        public int M48 { get; set; }

        public int M49 { get; set; }

        public int M50 { get; set; }

        public int M51 { get; set; }

        public int M52 { get; set; }

        public int M53 { get; set; }

        public int M54 { get; set; }

        public int M55 { get; set; }

        public int M56 { get; set; }

        public int M57 { get; set; }

        public int M58 { get; set; }

        public int M59 { get; set; }

        public int M60 { get; set; }

        public int M61 { get; set; }

        public int M62 { get; set; }

        public int M63 { get; set; }

        public required int M64 { get; set; }

        public required int M65 { get; set; }

        public int M66 { get; set; }

        public int M67 { get; set; }

        public int M68 { get; set; }

        public required int M69 { get; set; }
    }
}
