using System.Diagnostics.CodeAnalysis;
using System.Text.Json;

namespace ServiceMesh.Redis;

/// <summary>The list of the Gilmour implementations, in which they and we keep reports side by side.</summary>
internal sealed class GilmourReports : IReportFormat
{
    public string Key => "gilmour.errorqueue";

    // Each of their pushes cuts the list to this.
    public int MaxEntries => 10_000;

    public byte[] Write(ErrorReport report) =>
        GilmourReport.Write(JsonSerializer.SerializeToUtf8Bytes(report, RedisJson.Default.ErrorReport), null, Headers.Empty);

    /// <summary>
    /// True for every entry. Programs of other origins keep theirs in this list, and Ruby's are not JSON: what cannot be read is a
    /// report whose data is the entry's text.
    /// </summary>
    public bool TryRead(ReadOnlyMemory<byte> entry, DateTimeOffset now, [NotNullWhen(true)] out ErrorReport? report)
    {
        report = (GilmourReport.TryRead(entry, now, out var read, out _) ? NativeReports.Parse(read.Body.Span) : null)
            ?? GilmourReport.OfText(entry.Span, now);
        return true;
    }

    // Every entry is read.
    public bool MustStay(ReadOnlyMemory<byte> entry) => false;
}
