namespace ServiceMesh;

/// <summary>
/// Marks everything that happens because of an error report: its handler, what that handler sends, and what is done for that on
/// other nodes. A failure there is not published, or reports about reports would never end.
/// </summary>
internal static class ReportScope
{
    /// <summary>The header by which the mark travels; its value does not matter.</summary>
    public const string Header = Headers.AboutReport;

    private static readonly AsyncLocal<bool> s_active = new();

    /// <summary>True within the handling of an error report.</summary>
    public static bool IsActive => s_active.Value;

    /// <summary>True for an error report, and for a message that was sent because of one.</summary>
    public static bool Includes(Message message) =>
        message.Topic == ReservedTopics.Errors || (message.Headers.Count > 0 && message.Headers.TryGet(Header, out _));

    /// <summary>Marks the rest of an asynchronous method, and what it calls.</summary>
    public static void Enter() => s_active.Value = true;

    /// <summary>The headers of a message that is sent now, with the mark where it belongs.</summary>
    public static Headers Mark(Headers headers) => IsActive ? headers.WithTrusted(Header, "1") : headers;
}
