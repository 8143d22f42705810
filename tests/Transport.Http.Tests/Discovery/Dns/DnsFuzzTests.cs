using System.Diagnostics;
using NUnit.Framework;

namespace ServiceMesh.Http.Tests;

public sealed class DnsFuzzTests
{
    private const int Packets = 1_000_000;

    private static readonly byte[][] s_seeds =
    [
        new PacketWriter().Flags(0x8180).Question("weather.internal", DnsType.A).Cname("weather.internal", "w.internal").A("w.internal", "10.0.0.1").ToArray(),
        new PacketWriter().Flags(0x8180).Question("_mesh._tcp.weather.internal", DnsType.Srv)
            .Srv("_mesh._tcp.weather.internal", 0, 10, 5080, "w.internal").Additional(w => w.Aaaa("w.internal", "fd00::1")).ToArray(),
        new PacketWriter().Flags(0x8180).Question("t.internal", DnsType.Txt).Txt("t.internal", "10.0.0.1:5080", ";weight=2").ToArray(),
        new PacketWriter().Flags(0x8183).Question("none.internal", DnsType.A).Soa("internal", 60, 30).ToArray(),
        new PacketWriter().Flags(0x8180).Question("w", DnsType.Cname).Record("w", DnsType.Cname, 1, w => w.Raw(1, 97, 0xC0, 12)).ToArray(),
    ];

    [Test]
    public void A_million_random_and_mutated_packets_are_read_or_refused_as_no_message()
    {
        var random = new Random(20_260_101);
        var question = new DnsQuestion("weather.internal", DnsType.A);
        var read = 0;
        for (var i = 0; i < Packets; i++)
        {
            var packet = i % 4 == 0 ? Noise(random) : Mutated(random);
            _ = question.IsAnsweredBy(packet, (ushort)random.Next(65536));
            try
            {
                var message = DnsMessage.Parse(packet);
                _ = DnsChain.NegativeTimeToLive(message);
                _ = DnsChain.Follow(message, "weather.internal", r => r is AddressRecord, new(DnsName.Comparer));
                read++;
            }
            catch (DnsFormatException)
            {
                // The one thing that may happen.
            }
        }

        // Both ways are well travelled, or the test would show little.
        Assert.That(read, Is.InRange(Packets / 10, Packets * 9 / 10));
    }

    [Test]
    public void The_worst_packet_of_the_largest_size_is_bounded_work()
    {
        // Thousands of records, each with the longest name behind as many pointers as are allowed.
        var writer = new PacketWriter().Flags(0x8180);
        var label = new string('a', 63);
        writer.Record($"{label}.{label}.{label}.{new string('b', 57)}", (DnsType)99, 1, w => w.Number(2, 0xC00C));
        var at = writer.Length - 2;
        var chain = 1;
        while (writer.Length < ushort.MaxValue - 16)
        {
            var points = chain < 30 && at < 0x3FF0 ? at : 0xC00C & 0x3FFF;
            chain++;
            at = writer.Length;
            writer.Number(2, 0xC000 | points).Number(2, (int)DnsType.Cname).Number(2, 1).Number(4, 1).Number(2, 2).Number(2, 0xC000 | points);
        }

        var packet = writer.Put(6, ushort.MaxValue).ToArray();
        var watch = Stopwatch.StartNew();
        Assert.That(() => DnsMessage.Parse(packet), Throws.TypeOf<DnsFormatException>(), "fewer records than promised");
        Assert.That(watch.Elapsed, Is.LessThan(TimeSpan.FromSeconds(2)));
    }

    private static byte[] Noise(Random random)
    {
        var packet = new byte[random.Next(0, 300)];
        random.NextBytes(packet);
        return packet;
    }

    private static byte[] Mutated(Random random)
    {
        var packet = s_seeds[random.Next(s_seeds.Length)].ToArray();
        for (var mutations = random.Next(1, 5); mutations > 0; mutations--)
        {
            var at = random.Next(packet.Length);
            packet[at] = random.Next(3) switch
            {
                0 => (byte)random.Next(256),
                1 => (byte)(packet[at] ^ (1 << random.Next(8))),
                _ => (byte)(0xC0 | random.Next(2)),
            };
        }

        return random.Next(5) == 0 ? packet[..random.Next(packet.Length)] : packet;
    }
}
