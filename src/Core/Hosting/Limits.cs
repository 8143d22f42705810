namespace ServiceMesh;

/// <summary>A range, how it is written, and what to say when a value lies outside.</summary>
internal sealed class Limits<T>(T min, T max, string text)
    where T : IComparable<T>
{
    public string? Complain(T value, string key) => value.CompareTo(min) < 0 || value.CompareTo(max) > 0
        ? $"{key} is {value}; allowed are {text}."
        : null;

    public void Check(T value, string name)
    {
        if (Complain(value, name) is { } complaint)
        {
            throw new ArgumentOutOfRangeException(name, complaint);
        }
    }
}

/// <summary>The ranges of all options, in one place for configuration and code.</summary>
internal static class Limits
{
    public static readonly Limits<TimeSpan> Time = new(
        TimeSpan.FromMilliseconds(1), TimeSpan.FromDays(1), "00:00:00.001 to 1.00:00:00, written [days.]hours:minutes:seconds");

    public static readonly Limits<TimeSpan> TimeOrZero = new(
        TimeSpan.Zero, TimeSpan.FromDays(1), "00:00:00 to 1.00:00:00, written [days.]hours:minutes:seconds");

    public static readonly Limits<int> Concurrency = new(1, 1_000_000, "1 to 1000000");

    public static readonly Limits<int> Queued = new(0, 1_000_000, "0 to 1000000");

    public static readonly Limits<int> Body = new(1, 1 << 30, "1 to 1073741824 bytes");

    public static readonly Limits<int> Data = new(0, 1 << 20, "0 to 1048576 bytes");

    /// <summary>Checks what was said about one handler.</summary>
    /// <exception cref="ArgumentException">An option is outside its range, or the topic is reserved.</exception>
    public static HandlerOptions Checked(HandlerOptions options, HandlerDefinition handler)
    {
        string?[] complaints =
        [
            options.Timeout is { } timeout ? Time.Complain(timeout, nameof(options.Timeout)) : null,
            options.MaxConcurrency is { } concurrency ? Concurrency.Complain(concurrency, nameof(options.MaxConcurrency)) : null,
            options.MaxQueued is { } queued ? Queued.Complain(queued, nameof(options.MaxQueued)) : null,
            options.Group is { } group && !Topic.IsSegment(group) ? $"Group is '{group}'; letters, digits, '-' and '_' are allowed." : null,
            options is { Ordered: true, MaxConcurrency: not null } ? "Ordered handles one message at a time, so MaxConcurrency cannot be set." : null,
            handler.Kind == MessageKind.Request && MeshTopics.IsReserved(handler.Pattern)
                ? $"Topics that begin with '{MeshTopics.ReservedPrefix}' are the bus's own." : null,
        ];
        var said = string.Join(' ', complaints.Where(c => c is not null));
        return said.Length == 0 ? options : throw new ArgumentException($"The {handler} cannot be added. {said}", nameof(options));
    }
}
