using System.Buffers;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using NUnit.Framework;

namespace ServiceMesh.Core.Tests;

[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
public sealed class JsonMessageSerializerTests
{
    private readonly JsonMessageSerializer _json = new();

    [Test]
    public void Values_survive_the_round_trip()
    {
        AssertSurvives("grüße, 世界 🌍 \" \\ \u0001");
        AssertSurvives(long.MinValue);
        AssertSurvives(0.1);
        AssertSurvives(decimal.MaxValue);
        AssertSurvives(TimeSpan.FromTicks(1));
        AssertSurvives(DateTimeOffset.UnixEpoch.AddTicks(1));
        AssertSurvives(new Reading("pune", 7, null));
        AssertSurvives(Unit.Value);
        AssertSurvives<string?>(null);
        AssertSurvives<int?>(null);
        Assert.That(Back(new[] { 1, 2, 3 }), Is.EqualTo(new[] { 1, 2, 3 }));
        Assert.That(Back(new Dictionary<string, int> { ["a"] = 1 }), Is.EquivalentTo(new Dictionary<string, int> { ["a"] = 1 }));
        Assert.That(Back(new byte[] { 0, 255 }), Is.EqualTo(new byte[] { 0, 255 }));
    }

    [Test]
    public void Names_are_written_as_in_the_source_and_a_unit_is_an_empty_object()
    {
        Assert.That(Text(new Reading("pune", 7, null)), Is.EqualTo("""{"City":"pune","Degrees":7,"Note":null}"""));
        Assert.That(Text(Unit.Value), Is.EqualTo("{}"));
        Assert.That(Text<string?>(null), Is.EqualTo("null"));
    }

    [Test]
    public void An_empty_body_is_null_where_the_type_allows_null()
    {
        Assert.That(_json.Deserialize<string>(default), Is.Null);
        Assert.That(_json.Deserialize<int?>(default), Is.Null);
        Assert.That(
            () => _json.Deserialize<int>(default),
            Throws.TypeOf<MalformedBodyException>().With.Message.EqualTo("The body is empty; a 32-bit integer is expected."));
    }

    [Test]
    public void Naming_converters_encoder_and_indentation_of_the_options_apply()
    {
        var json = new JsonMessageSerializer(new()
        {
            PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
            Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
            WriteIndented = true,
            IndentCharacter = '\t',
            IndentSize = 1,
            NewLine = "\n",
        });
        Assert.That(Text(json, new Reading("ü", 7, null)), Is.EqualTo("{\n\t\"city\": \"ü\",\n\t\"degrees\": 7,\n\t\"note\": null\n}"));
        Assert.That(
            Text(new Reading("ü", 7, null)),
            Is.EqualTo("""{"City":"\u00FC","Degrees":7,"Note":null}"""),
            "another serializer on the same thread");
    }

    [Test]
    public void Serializers_with_different_options_take_turns_on_one_thread()
    {
        JsonMessageSerializer[] all =
        [
            new(),
            new(new() { WriteIndented = true, NewLine = "\n" }),
            new(new() { WriteIndented = true, NewLine = "\r\n" }),
            new(new() { WriteIndented = true, NewLine = "\n", IndentSize = 4 }),
            new(new() { WriteIndented = true, NewLine = "\n", IndentCharacter = '\t' }),
            new(new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }),
        ];
        string[] Write() => [.. all.Select(json => Text(json, new[] { "ü" }))];
        string[] expected =
        [
            "[\"\\u00FC\"]", "[\n  \"\\u00FC\"\n]", "[\r\n  \"\\u00FC\"\r\n]", "[\n    \"\\u00FC\"\n]", "[\n\t\t\"\\u00FC\"\n]", "[\"ü\"]",
        ];
        Assert.That(Write(), Is.EqualTo(expected));
        Assert.That(Write(), Is.EqualTo(expected));
    }

    [Test]
    public void A_converter_may_serialize_again_on_the_same_thread()
    {
        var json = new JsonMessageSerializer(new() { Converters = { new Wrapping() } });
        Assert.That(Text(json, new Wrapped("a")), Is.EqualTo("""{"inner":"\u0022a\u0022"}"""));
        Assert.That(
            Text(json, new[] { new Wrapped("x"), new Wrapped("y") }),
            Is.EqualTo("""[{"inner":"\u0022x\u0022"},{"inner":"\u0022y\u0022"}]"""));
    }

    [Test]
    public void A_converter_that_throws_does_not_affect_the_next_value()
    {
        Assert.That(() => Text(new Throwing()), Throws.TypeOf<InvalidTimeZoneException>());
        Assert.That(Text("next"), Is.EqualTo("\"next\""));
        Assert.That(() => SerializerSet.Encode(_json, new Throwing()), Throws.TypeOf<InvalidTimeZoneException>());
        Assert.That(SerializerSet.Encode(_json, 1), Is.EqualTo("1"u8.ToArray()));
    }

    [Test]
    public void A_type_without_a_contract_is_refused_with_its_name_and_advice()
    {
        var json = new JsonMessageSerializer(new() { TypeInfoResolver = new Refusing() });
        Assert.That(
            () => Text(json, 1L),
            Throws.TypeOf<NotSupportedException>()
                .With.Message.Contains("Int64 does not have a JSON contract")
                .And.Message.Contains("AddJsonContext"));
        Assert.That(() => json.Deserialize<long>("1"u8.ToArray()), Throws.TypeOf<NotSupportedException>(), "misuse, not a malformed body");
    }

    [Test]
    public void Contexts_come_before_reflection_and_in_the_order_of_adding()
    {
        var options = new JsonSerializerOptions();
        options.TypeInfoResolverChain.Add(EnumsAsTexts.Default);
        Assert.That(
            Text(new JsonMessageSerializer(options), new Reading("x", 1, null)), Is.EqualTo("""{"City":"x","Degrees":1,"Note":null}"""));
        Assert.That(Text(new JsonMessageSerializer(options), DayOfWeek.Friday), Is.EqualTo("\"Friday\""), "as the context says");
        Assert.That(Text(DayOfWeek.Friday), Is.EqualTo("5"), "as reflection says");
    }

    [Test]
    public void The_serializer_does_not_change_the_options_of_the_caller()
    {
        var options = new JsonSerializerOptions();
        _ = new JsonMessageSerializer(options);
        Assert.That(options.IsReadOnly, Is.False);
        Assert.That(options.TypeInfoResolverChain, Is.Empty);
    }

    [Test]
    public void The_buffer_of_a_body_is_released_once_the_body_is_written()
    {
        var held = Write();
        GC.Collect();
        GC.WaitForPendingFinalizers();
        GC.Collect();
        Assert.That(held.IsAlive, Is.False, "a body may have a gigabyte, so its buffer must not live as long as the thread");

        [System.Runtime.CompilerServices.MethodImpl(System.Runtime.CompilerServices.MethodImplOptions.NoInlining)]
        WeakReference Write()
        {
            var buffer = new ArrayBufferWriter<byte>();
            _json.Serialize("x", buffer);
            return new(buffer);
        }
    }

    private void AssertSurvives<T>(T value) => Assert.That(Back(value), Is.EqualTo(value));

    private T? Back<T>(T value) => _json.Deserialize<T>(Encoding.UTF8.GetBytes(Text(value)));

    private string Text<T>(T value) => Text(_json, value);

    private static string Text<T>(JsonMessageSerializer json, T value)
    {
        var buffer = new ArrayBufferWriter<byte>();
        json.Serialize(value, buffer);
        return Encoding.UTF8.GetString(buffer.WrittenSpan);
    }

    internal sealed record Wrapped(string Text);

    private sealed class Wrapping : JsonConverter<Wrapped>
    {
        private static readonly JsonMessageSerializer s_inner = new();

        public override Wrapped Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
            throw new NotSupportedException();

        public override void Write(Utf8JsonWriter writer, Wrapped value, JsonSerializerOptions options)
        {
            writer.WriteStartObject();
            writer.WriteString("inner", Encoding.UTF8.GetString(SerializerSet.Encode(s_inner, value.Text)));
            writer.WriteEndObject();
        }
    }

    private sealed class Refusing : System.Text.Json.Serialization.Metadata.IJsonTypeInfoResolver
    {
        public System.Text.Json.Serialization.Metadata.JsonTypeInfo? GetTypeInfo(Type type, JsonSerializerOptions options) =>
            throw new NotSupportedException("No reflection here.");
    }

    internal sealed class Throwing
    {
        public string Before { get; init; } = "written";

        public string Fails => Before.Length > 0 ? throw new InvalidTimeZoneException() : "";
    }
}

public sealed record Reading(string City, int Degrees, string? Note);

[JsonSerializable(typeof(Reading))]
[JsonSerializable(typeof(DayOfWeek))]
[JsonSourceGenerationOptions(UseStringEnumConverter = true)]
internal sealed partial class EnumsAsTexts : JsonSerializerContext;
