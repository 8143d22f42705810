using System.Diagnostics.CodeAnalysis;
using System.Text.Json;

namespace ServiceMesh.Redis;

/// <summary>How error reports lie in Redis: in which list, and as which bytes. Pure.</summary>
internal interface IReportFormat
{
    /// <summary>The key of the list: new reports on its left, the oldest on its right.</summary>
    string Key { get; }

    /// <summary>The most entries that others who use the list leave in it.</summary>
    int MaxEntries { get; }

    byte[] Write(ErrorReport report);

    /// <summary>False for an entry that is not a report. Never throws.</summary>
    /// <param name="entry">What the list holds.</param>
    /// <param name="now">The time of a report that does not say when it was made.</param>
    /// <param name="report">What it says.</param>
    bool TryRead(ReadOnlyMemory<byte> entry, DateTimeOffset now, [NotNullWhen(true)] out ErrorReport? report);

    /// <summary>
    /// True for an entry that this node cannot read and another one may be able to. All others that are no reports are taken out.
    /// </summary>
    bool MustStay(ReadOnlyMemory<byte> entry);
}

/// <summary>The list of the native wire: <c>PREFIX:errors</c>, each entry a report as JSON.</summary>
internal sealed class NativeReports(string prefix) : IReportFormat
{
    public string Key { get; } = $"{prefix}:errors";

    public int MaxEntries => int.MaxValue;

    public byte[] Write(ErrorReport report) => JsonSerializer.SerializeToUtf8Bytes(report, RedisJson.Default.ErrorReport);

    public bool TryRead(ReadOnlyMemory<byte> entry, DateTimeOffset now, [NotNullWhen(true)] out ErrorReport? report)
    {
        report = Parse(entry.Span);
        return report is not null;
    }

    // It comes from a node with keys.
    public bool MustStay(ReadOnlyMemory<byte> entry) => SealFormat.IsSealed(entry.Span);

    /// <summary>A report as the bus writes it; null for anything else.</summary>
    public static ErrorReport? Parse(ReadOnlySpan<byte> json)
    {
        try
        {
            return JsonSerializer.Deserialize(json, RedisJson.Default.ErrorReport);
        }
        catch (JsonException)
        {
            return null;
        }
    }
}
