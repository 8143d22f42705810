using System.Buffers;
using System.Text.Json;
using System.Text.Json.Serialization;
using NUnit.Framework;

namespace ServiceMesh.Core.Tests;

/// <summary>A source-generated context is all that is needed, and nothing beside it is asked.</summary>
[TestFixture(true)]
[TestFixture(false)]
public sealed class SourceGeneratedTests(bool isDynamic)
{
    // No reflection in the chain: what the context does not have has no contract.
    private readonly CodecSet _codecs = new(OnlyOf(OrdersJson.Default), isDynamic);

    [Test]
    public void Everything_that_the_context_has_comes_back()
    {
        var order = new Order(Guid.NewGuid(), DateTimeOffset.UnixEpoch, [new("nails", 3, 1.50m), new("glue", 1, 2m)])
        {
            Day = DayOfWeek.Friday,
            Note = null,
            Content = [1, 2],
            By = new() { ["a"] = new("x", 1, 0) },
            Pair = (1, "two"),
            Method = new ByPost { Street = "s" },
            Counts = new() { [1] = 2 },
            Waiting = new(["a", "b"]),
        };
        var back = Back(order)!;
        Assert.That(JsonSerializer.Serialize(back, OrdersJson.Default.Order), Is.EqualTo(JsonSerializer.Serialize(order, OrdersJson.Default.Order)));
        Assert.That(back.Pair, Is.EqualTo((1, "two")), "which the JSON of a context without fields leaves out");
    }

    [Test]
    public void Names_and_converters_are_those_of_the_context() =>
        Assert.That(
            System.Text.Encoding.UTF8.GetString(Bytes(new Order(default, default, []) { Day = DayOfWeek.Friday, Method = null })),
            Does.Contain("day").And.Contain("Friday").And.Not.Contain("note"));

    [Test]
    public void A_type_that_the_context_lacks_has_no_contract()
    {
        Assert.That(() => Bytes(new Reading("x", 1, null)), Throws.TypeOf<NotSupportedException>());
        var strict = new MessagePackMessageSerializer(new() { TypeInfoResolver = new Refusing() }, MessagePackMessageSerializer.LargestBody, isDynamic);
        Assert.That(
            () => strict.Bytes(new Reading("x", 1, null)),
            Throws.TypeOf<NotSupportedException>().With.Message.Contains("no JSON contract for Reading").And.Message.Contains("AddJsonContext"));
    }

    [Test]
    public void Writing_allocates_nothing_and_reading_only_what_is_read()
    {
        if (!isDynamic)
        {
            return; // values are boxed there
        }

        var lines = Enumerable.Range(0, 100).Select(i => new Line("x", i, 0)).ToArray();
        var codec = _codecs.For<Line[]>();
        var output = new ArrayBufferWriter<byte>(1 << 16);
        var body = Bytes(lines);
        for (var i = 0; i < 3; i++)
        {
            Write();
            Read(body);
        }

        var before = GC.GetAllocatedBytesForCurrentThread();
        Write();
        var written = GC.GetAllocatedBytesForCurrentThread();
        Read(body);
        var read = GC.GetAllocatedBytesForCurrentThread();
        Assert.That(written - before, Is.Zero);
        // A struct of a reference, an integer and a decimal in an array, two short texts to make each of them.
        Assert.That(read - written, Is.LessThan(100 * (32 + 32 + 32) + 100));

        void Write()
        {
            output.ResetWrittenCount();
            var writer = new MessagePackWriter(output, maxDepth: 64, maxBytes: int.MaxValue);
            codec.Write(ref writer, lines);
            writer.Flush();
        }

        void Read(byte[] bytes)
        {
            var reader = new MessagePackReader(bytes, maxDepth: 64);
            codec.Read(ref reader);
        }
    }

    private T? Back<T>(T value)
    {
        var reader = new MessagePackReader(Bytes(value), maxDepth: 64);
        return _codecs.For<T>().Read(ref reader);
    }

    private byte[] Bytes<T>(T value)
    {
        var output = new ArrayBufferWriter<byte>();
        var writer = new MessagePackWriter(output, maxDepth: 64, maxBytes: int.MaxValue);
        _codecs.For<T>().Write(ref writer, value);
        writer.Flush();
        return output.WrittenSpan.ToArray();
    }

    private static JsonSerializerOptions OnlyOf(JsonSerializerContext context)
    {
        var options = new JsonSerializerOptions(context.Options);
        options.MakeReadOnly();
        return options;
    }

    private sealed class Refusing : System.Text.Json.Serialization.Metadata.IJsonTypeInfoResolver
    {
        public System.Text.Json.Serialization.Metadata.JsonTypeInfo? GetTypeInfo(Type type, JsonSerializerOptions options) =>
            throw new NotSupportedException("No reflection here.");
    }
}

internal sealed record Order(Guid Id, DateTimeOffset At, Line[] Lines)
{
    public required DayOfWeek Day { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Note { get; init; }

    public byte[]? Content { get; set; }

    public Dictionary<string, Line>? By { get; set; }

    public (int, string) Pair { get; set; }

    public required Delivery? Method { get; init; }

    public Dictionary<int, long>? Counts { get; init; }

    public Queue<string>? Waiting { get; init; }
}

internal readonly record struct Line(string What, int Count, decimal Cost);

[JsonDerivedType(typeof(ByPost), "post")]
internal abstract class Delivery;

internal sealed class ByPost : Delivery
{
    public string? Street { get; init; }
}

[JsonSerializable(typeof(Order))]
[JsonSerializable(typeof(Line[]))]
[JsonSourceGenerationOptions(UseStringEnumConverter = true, PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
internal sealed partial class OrdersJson : JsonSerializerContext;
