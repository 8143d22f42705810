using System.Buffers;
using Microsoft.Extensions.DependencyInjection;
using NUnit.Framework;
using static ServiceMesh.Conformance.Contracts;

namespace ServiceMesh.Conformance;

/// <summary>Bodies of every size and content: no byte is lost, added or changed, and the limit is exact.</summary>
public abstract class BodyTests<TFactory> : ConformanceFixture<TFactory>
    where TFactory : TransportFactory, new()
{
    private int LargestText => LongestText(Math.Min(4 * 1024 * 1024, Capabilities.MaxBodyBytes));

    [Test]
    public async Task A_body_of_exactly_the_limit_passes_both_ways()
    {
        await StartAsync(mesh => mesh.AddHandler(Ask, Echo));
        var caller = await StartAsync();
        var text = string.Create(LargestText, 0, (span, _) =>
        {
            for (var i = 0; i < span.Length; i++)
            {
                span[i] = (char)('a' + (i % 26));
            }
        });

        // Not Is.EqualTo: its message would be megabytes long.
        Assert.That(await caller.Bus.RequestAsync(Ask, text) == text, Is.True);
    }

    [Test]
    public async Task A_body_of_one_byte_more_than_the_limit_is_413_and_is_not_sent()
    {
        var calls = new Inbox<string>();
        await StartAsync(mesh => mesh.AddHandler(Ask, (input, _) =>
        {
            calls.Put(input);
            return "";
        }));
        var caller = await StartAsync();

        var reply = await caller.Bus.TryRequestAsync(Ask, new string('a', LargestText + 1));

        using (Assert.EnterMultipleScope())
        {
            Assert.That(reply.Status, Is.EqualTo(StatusCode.BodyTooLarge));
            Assert.That(reply.Failure?.NotProcessed, Is.True);
            Assert.That(reply.Failure?.Kind, Is.EqualTo(FailureKind.Rejected));
            Assert.That(calls.All, Is.Empty);
            Assert.That(await caller.Bus.RequestAsync(Ask, "small"), Is.Empty, "both nodes keep serving");
        }
    }

    [Test]
    public async Task A_receiver_with_a_lower_limit_refuses_before_its_handler_runs()
    {
        var calls = new Inbox<string>();
        await StartAsync(
            mesh => mesh.AddHandler(Ask, (input, _) =>
            {
                calls.Put(input);
                return input;
            }),
            ("Request:MaxBodyBytes", "1000"));
        var caller = await StartAsync();

        var reply = await caller.Bus.TryRequestAsync(Ask, new string('a', LongestText(1000) + 1));

        using (Assert.EnterMultipleScope())
        {
            Assert.That(reply.Status, Is.EqualTo(StatusCode.BodyTooLarge));
            Assert.That(reply.Failure?.NotProcessed, Is.True);
            Assert.That(calls.All, Is.Empty);
            Assert.That(await caller.Bus.RequestAsync(Ask, new string('a', LongestText(1000))), Has.Length.EqualTo(LongestText(1000)));
        }
    }

    [Test]
    public async Task A_reply_above_the_limit_is_413_though_the_handler_ran()
    {
        var size = new RequestTopic<int, string>("conformance.size");
        await StartAsync(mesh => mesh.AddHandler(size, (length, _) => new string('a', length)));
        var caller = await StartAsync();

        var reply = await caller.Bus.TryRequestAsync(size, LargestText + 1);

        using (Assert.EnterMultipleScope())
        {
            Assert.That(reply.Status, Is.EqualTo(StatusCode.BodyTooLarge));
            Assert.That(reply.Failure?.NotProcessed, Is.False);
            Assert.That(await caller.Bus.RequestAsync(size, 3), Is.EqualTo("aaa"), "both nodes keep serving");
        }
    }

    [TestCase("Grüße, Ωμέγα, 日本語, हिन्दी, עברית")]
    [TestCase("👩‍👩‍👧‍👦 🏳️‍🌈 e\u0301 \u202Eright to left")]
    [TestCase("\0 \u0001 \u001b[31m \u007f \u0085 \u2028 \u2029 \ufeff")]
    [TestCase("\"\\/\b\f\n\r\t '<script>' \\u0041 %41 {0} $1 * \r\n\r\n")]
    [TestCase("{\"data\": 1, \"code\": 500, \"sender\": null}")]
    public async Task Text_of_every_kind_survives(string text)
    {
        await StartAsync(mesh => mesh.AddHandler(Ask, Echo));
        var caller = await StartAsync();

        Assert.That(await caller.Bus.RequestAsync(Ask, text), Is.EqualTo(text));
    }

    [TestCase(0)]
    [TestCase(1)]
    [TestCase(256)]
    [TestCase(100_000)]
    public async Task Binary_and_empty_bodies_survive(int length)
    {
        var copy = new RequestTopic<byte[], byte[]>("conformance.bytes");
        await StartAsync(mesh => mesh.AddSerializer(new Raw()).AddHandler(copy, (bytes, _) => bytes), ("Serializer", "Raw"));
        var caller = await StartAsync(mesh => mesh.AddSerializer(new Raw()), ("Serializer", "Raw"));
        byte[] sent = [.. Enumerable.Range(0, length).Select(i => (byte)i)];

        var reply = await caller.Bus.TryRequestAsync(copy, sent);

        if (Factory.CarriesAnyBody)
        {
            Assert.That(reply.Status, Is.EqualTo(StatusCode.Ok), reply.Failure?.Message);
            Assert.That(reply.Value, Is.EqualTo(sent));
        }
        else
        {
            Assert.That(reply.IsSuccess, Is.False, "a body that the wire cannot carry must fail and not arrive changed");
        }
    }

    /// <summary>Writes and reads byte arrays unchanged.</summary>
    private sealed class Raw : IMessageSerializer
    {
        public string Name => "Raw";

        public string ContentType => "application/octet-stream";

        public void Serialize<T>(T value, IBufferWriter<byte> output) => output.Write(value as byte[]);

        public T? Deserialize<T>(ReadOnlyMemory<byte> body) => (T)(object)body.ToArray();
    }
}
