using System.Globalization;
using ServiceMesh.Links;

namespace ServiceMesh.Http;

/// <summary>An instant on the clock of a node as the text of a header: <c>CLOCK.MILLISECONDS</c>. Pure.</summary>
internal static class InstantText
{
    public static string Of(FrameDeadline deadline) =>
        string.Create(CultureInfo.InvariantCulture, $"{deadline.ClockId}.{deadline.Instant}");

    /// <summary>The deadline with the time that was left; null for a text of another form.</summary>
    public static FrameDeadline? Read(string text, long remaining)
    {
        var dot = text.IndexOf('.', StringComparison.Ordinal);
        return dot > 0
            && uint.TryParse(text.AsSpan(0, dot), NumberStyles.None, CultureInfo.InvariantCulture, out var clock)
            && long.TryParse(text.AsSpan(dot + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var instant)
            ? new FrameDeadline((uint)Math.Clamp(remaining, 1, uint.MaxValue), clock, instant)
            : null;
    }
}
