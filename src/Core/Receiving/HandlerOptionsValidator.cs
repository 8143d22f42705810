namespace ServiceMesh;

/// <summary>Checks the options of one handler when it is added or subscribed.</summary>
internal static class HandlerOptionsValidator
{
    private static readonly OptionsSchema s_schema = OptionsSchema.Of<HandlerOptions>();

    /// <summary>The same options, when they can work.</summary>
    /// <exception cref="ArgumentException">An option is outside its range, or the topic is reserved.</exception>
    public static HandlerOptions Checked(HandlerOptions options, HandlerDefinition handler)
    {
        string?[] problems =
        [
            .. s_schema.OutOfRange("", options),
            options.Group is { } group && !IsGroup(group) ? $"Group is '{group}'; letters, digits, '-' and '_' are allowed." : null,
            options is { Ordered: true, MaxConcurrency: not null }
                ? "Ordered handles one message at a time, so MaxConcurrency cannot be set." : null,
            handler.Kind == MessageKind.Request && ReservedTopics.IsReserved(handler.Pattern)
                ? $"Topics that begin with '{ReservedTopics.Prefix}' are the bus's own." : null,
        ];
        var said = string.Join(' ', problems.OfType<string>());
        return said.Length == 0 ? options : throw new ArgumentException($"The {handler} cannot be added. {said}", nameof(options));
    }

    // Which of these the transport allows is checked when that is known: see CapabilityCheck.
    private static bool IsGroup(string name) =>
        name.Length is > 0 and <= Topic.MaxLength && !name.Any(c => char.IsWhiteSpace(c) || char.IsControl(c));
}
