using System.Buffers.Binary;
using System.Security.Cryptography;
using NUnit.Framework;

namespace ServiceMesh.Redis.Tests.Sealing;

/// <summary>What a seal does to bytes, without Redis.</summary>
public sealed class NodeSealTests
{
    private static readonly string s_key = KeyOf(1);
    private static readonly byte[] s_channel = "mesh:inbox:a"u8.ToArray();
    private static readonly byte[] s_plain = "what is said"u8.ToArray();

    [Test]
    public void A_packet_is_opened_by_another_node_with_the_same_key()
    {
        var packet = new Sealer(SealOf(s_key), () => 77).Seal(s_channel, s_plain);

        Assert.That(SealOf(s_key).Open(s_channel, packet, out var head, out var plain), Is.EqualTo(SealFault.None));
        Assert.That(plain, Is.EqualTo(s_plain));
        Assert.That((head.Number, head.Instant), Is.EqualTo((1L, 77L)));
        Assert.That(packet, Has.Length.EqualTo(s_plain.Length + 54));
    }

    [Test]
    public void A_packet_has_the_bytes_of_the_document()
    {
        // Without a line of the code under test but the packet: docs/wire.md says how.
        var secret = Convert.FromBase64String(s_key);
        var packet = new Sealer(SealOf(s_key), () => 1_800_000_000_000).Seal(s_channel, s_plain);

        Assert.That(packet[..2], Is.EqualTo(new byte[] { 0xB6, 1 }));
        var name = HKDF.DeriveKey(HashAlgorithmName.SHA256, secret, 4, [], "servicemesh key name"u8.ToArray());
        Assert.That(packet[2..6], Is.EqualTo(name));
        Assert.That(BinaryPrimitives.ReadInt64LittleEndian(packet.AsSpan(22)), Is.EqualTo(1));
        Assert.That(BinaryPrimitives.ReadInt64LittleEndian(packet.AsSpan(30)), Is.EqualTo(1_800_000_000_000));
        var key = HKDF.DeriveKey(HashAlgorithmName.SHA256, secret, 32, packet[6..22], "servicemesh sealed 1"u8.ToArray());
        using var cipher = new AesGcm(key, 16);
        var opened = new byte[packet.Length - 54];
        byte[] nonce = [.. packet[22..30], 0, 0, 0, 0];
        byte[] bound = [.. packet[..38], .. s_channel];
        cipher.Decrypt(nonce, packet[54..], packet[38..54], opened, bound);
        Assert.That(opened, Is.EqualTo(s_plain));
    }

    [Test]
    public void A_packet_of_which_any_bit_is_changed_is_not_opened()
    {
        var (packet, receiver) = (new Sealer(SealOf(s_key), () => 1).Seal(s_channel, s_plain), SealOf(s_key));
        for (var bit = 0; bit < packet.Length * 8; bit++)
        {
            var changed = packet.ToArray();
            changed[bit / 8] ^= (byte)(1 << (bit % 8));
            var fault = receiver.Open(s_channel, changed, out _, out var plain);

            Assert.That(fault, Is.Not.EqualTo(SealFault.None), $"bit {bit}");
            Assert.That(plain, Is.Empty);
        }
    }

    [Test]
    public void A_packet_that_is_cut_or_longer_is_not_opened()
    {
        var (packet, receiver) = (new Sealer(SealOf(s_key), () => 1).Seal(s_channel, s_plain), SealOf(s_key));
        for (var length = 0; length < packet.Length; length++)
        {
            Assert.That(
                receiver.Open(s_channel, packet.AsSpan(0, length), out _, out _),
                Is.EqualTo(length == 0 ? SealFault.NotSealed : SealFault.Forged));
        }

        Assert.That(receiver.Open(s_channel, [.. packet, 0], out _, out _), Is.EqualTo(SealFault.Forged));
    }

    [Test]
    public void A_packet_is_opened_only_on_the_channel_that_it_was_sealed_for()
    {
        var packet = new Sealer(SealOf(s_key), () => 1).Seal(s_channel, s_plain);

        Assert.That(SealOf(s_key).Open("mesh:inbox:b"u8, packet, out _, out _), Is.EqualTo(SealFault.Forged));
        Assert.That(SealOf(s_key).Open(new byte[5_000], packet, out _, out _), Is.EqualTo(SealFault.Forged), "a name beyond all names");
    }

    [Test]
    public void A_packet_with_another_key_is_told_from_a_forged_one()
    {
        var packet = new Sealer(SealOf(KeyOf(2)), () => 1).Seal(s_channel, s_plain);

        Assert.That(SealOf(s_key).Open(s_channel, packet, out _, out _), Is.EqualTo(SealFault.UnknownKey));
        Assert.That(SealOf(s_key).Open(s_channel, s_plain, out _, out _), Is.EqualTo(SealFault.NotSealed));
    }

    [Test]
    public void Nodes_in_each_step_of_a_change_of_keys_open_what_those_in_the_next_one_seal()
    {
        var (old, next) = (s_key, KeyOf(2));
        string[][] steps = [[old], [old, next], [next, old], [next]];
        foreach (var (one, other) in steps.Zip(steps.Skip(1)).SelectMany(pair => new[] { pair, (pair.Second, pair.First) }))
        {
            var packet = new Sealer(SealOf(one), () => 1).Seal(s_channel, s_plain);

            Assert.That(SealOf(other).Open(s_channel, packet, out _, out _), Is.EqualTo(SealFault.None));
        }
    }

    [Test]
    public void Two_packets_with_the_same_content_have_nothing_in_common()
    {
        var (one, two) = (new Sealer(SealOf(s_key), () => 1), new Sealer(SealOf(s_key), () => 1));

        string[] bodies = [.. new[] { one, one, two }.Select(s => Convert.ToHexString(s.Seal(s_channel, s_plain).AsSpan(38)))];

        Assert.That(bodies, Is.Unique);
    }

    [Test]
    public void Bytes_of_any_kind_are_refused_without_an_exception()
    {
        var (random, receiver) = (new Random(7), SealOf(s_key));
        var packet = new Sealer(SealOf(s_key), () => 1).Seal(s_channel, s_plain);
        for (var i = 0; i < 5_000; i++)
        {
            var bytes = new byte[random.Next(0, 200)];
            random.NextBytes(bytes);
            packet.AsSpan(0, Math.Min(bytes.Length, random.Next(0, 8))).CopyTo(bytes); // the mark, the version and the key's name

            Assert.That(receiver.Open(s_channel, bytes, out _, out _), Is.Not.EqualTo(SealFault.None));
        }
    }

    [TestCase("", "Keys:0 has 0 bytes")]
    [TestCase("not base64!", "Keys:0 is not base64")]
    [TestCase("c2hvcnQ=", "Keys:0 has 5 bytes")]
    public void A_key_that_is_wrong_is_named_and_not_repeated(string key, string problem)
    {
        var said = SealKeys.Problem([key], "ServiceMesh:Redis:Keys");

        Assert.That(said, Does.Contain(problem).And.Contain("a key of 32 bytes as base64"));
        Assert.That(key.Length > 0 && said!.Contains(key, StringComparison.Ordinal), Is.False);
    }

    [Test]
    public void Keys_are_at_most_two_and_differ()
    {
        Assert.That(SealKeys.Problem([s_key, KeyOf(2), KeyOf(3)], "Keys"), Does.Contain("has 3 keys").And.Contain("Take the rest out"));
        Assert.That(SealKeys.Problem([s_key, s_key], "Keys"), Does.Contain("are the same key"));
        Assert.That(SealKeys.Problem([s_key, KeyOf(2)], "Keys"), Is.Null);
        Assert.That(SealKeys.Problem([], "Keys"), Is.Null);
    }

    internal static string KeyOf(byte number) => Convert.ToBase64String([.. Enumerable.Repeat(number, 32)]);

    internal static NodeSeal SealOf(params string[] keys) => new(SealKeys.Of(keys)!);
}
