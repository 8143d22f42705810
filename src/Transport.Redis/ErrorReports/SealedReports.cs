using System.Diagnostics.CodeAnalysis;
using System.Text;

namespace ServiceMesh.Redis;

/// <summary>The list of the native wire with sealed entries. They have no time: a report may wait for long.</summary>
internal sealed class SealedReports(NativeReports reports, NodeSeal seal) : IReportFormat
{
    private readonly Sealer _sealer = new(seal, () => 0);
    private readonly byte[] _place = Encoding.UTF8.GetBytes(reports.Key);

    public string Key => reports.Key;

    public int MaxEntries => reports.MaxEntries;

    public byte[] Write(ErrorReport report) => _sealer.Seal(_place, reports.Write(report));

    public bool TryRead(ReadOnlyMemory<byte> entry, DateTimeOffset now, [NotNullWhen(true)] out ErrorReport? report)
    {
        report = null;
        return seal.Open(_place, entry.Span, out _, out var plain) == SealFault.None && reports.TryRead(plain, now, out report);
    }

    // It was sealed before the keys were changed, or written before the mesh had keys.
    public bool MustStay(ReadOnlyMemory<byte> entry) =>
        seal.Open(_place, entry.Span, out _, out _) is SealFault.UnknownKey or SealFault.NotSealed;
}
