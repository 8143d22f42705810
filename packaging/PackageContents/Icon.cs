using System.Buffers.Binary;
using System.IO.Compression;
using System.IO.Hashing;

namespace ServiceMesh.Packaging;

/// <summary>The icon of the packages, drawn when it is needed: five nodes, each connected with each.</summary>
internal static class Icon
{
    private const int Size = 128;
    private const double Center = Size / 2.0;
    private const double NodeRadius = 12;
    private const double LineRadius = 2;

    private static readonly byte[] s_dark = [0x1F, 0x6F, 0xB2];
    private static readonly byte[] s_light = [0x8A, 0xB8, 0xDC];

    private static readonly (double X, double Y)[] s_nodes =
    [
        .. Enumerable.Range(0, 5).Select(i => (Math.Tau * i / 5) - (Math.PI / 2))
            .Select(angle => (Center + (46 * Math.Cos(angle)), Center + (46 * Math.Sin(angle)))),
    ];

    /// <summary>The image as a file: PNG (ISO/IEC 15948), eight bits for each of red, green, blue and opacity.</summary>
    public static byte[] Png()
    {
        using var file = new MemoryStream();
        file.Write([0x89, (byte)'P', (byte)'N', (byte)'G', 0x0D, 0x0A, 0x1A, 0x0A]);
        var header = new byte[13];
        BinaryPrimitives.WriteInt32BigEndian(header, Size);
        BinaryPrimitives.WriteInt32BigEndian(header.AsSpan(4), Size);
        (header[8], header[9]) = (8, 6);
        WriteChunk(file, "IHDR"u8, header);
        WriteChunk(file, "IDAT"u8, Compressed(Pixels()));
        WriteChunk(file, "IEND"u8, []);
        return file.ToArray();
    }

    // Each row begins with its filter, 0 for none.
    private static byte[] Pixels()
    {
        var pixels = new byte[Size * ((Size * 4) + 1)];
        var at = 0;
        for (var y = 0; y < Size; y++)
        {
            at++;
            for (var x = 0; x < Size; x++)
            {
                var node = Covered(s_nodes.Min(n => Distance(x, y, n, n)) - NodeRadius);
                var line = Covered(s_nodes.SelectMany(a => s_nodes.Select(b => Distance(x, y, a, b))).Min() - LineRadius);
                (node > 0 ? s_dark : s_light).CopyTo(pixels, at);
                pixels[at + 3] = (byte)(255 * Math.Max(node, line));
                at += 4;
            }
        }

        return pixels;
    }

    // How much of a pixel is covered, by its distance to the edge.
    private static double Covered(double distance) => Math.Clamp(0.5 - distance, 0, 1);

    private static double Distance(double x, double y, (double X, double Y) from, (double X, double Y) to)
    {
        var (dx, dy) = (to.X - from.X, to.Y - from.Y);
        var length = (dx * dx) + (dy * dy);
        var share = length == 0 ? 0 : Math.Clamp((((x - from.X) * dx) + ((y - from.Y) * dy)) / length, 0, 1);
        return Math.Sqrt(Math.Pow(x - from.X - (share * dx), 2) + Math.Pow(y - from.Y - (share * dy), 2));
    }

    private static byte[] Compressed(byte[] pixels)
    {
        using var output = new MemoryStream();
        using (var deflate = new ZLibStream(output, CompressionLevel.SmallestSize))
        {
            deflate.Write(pixels);
        }

        return output.ToArray();
    }

    private static void WriteChunk(Stream file, ReadOnlySpan<byte> type, byte[] data)
    {
        var checksum = new Crc32();
        checksum.Append(type);
        checksum.Append(data);
        Span<byte> number = stackalloc byte[4];
        BinaryPrimitives.WriteInt32BigEndian(number, data.Length);
        file.Write(number);
        file.Write(type);
        file.Write(data);
        BinaryPrimitives.WriteUInt32BigEndian(number, checksum.GetCurrentHashAsUInt32());
        file.Write(number);
    }
}
