namespace ServiceMesh.Transports;

/// <summary>Compares what the configured code needs with what the transport can, before anything starts.</summary>
internal static class CapabilityCheck
{
    /// <exception cref="InvalidOperationException">Something is needed that the transport lacks; the message names both.</exception>
    public static void Check(
        string transport, TransportCapabilities can, TransportFeatures required, BodyLimit bodies, IEnumerable<HandlerDefinition> handlers)
    {
        var problems = new List<string>();
        if ((required & ~can.Features) is var lacking && lacking != TransportFeatures.None)
        {
            problems.Add($"The application requires {lacking}.");
        }

        foreach (var handler in handlers)
        {
            if (!handler.Pattern.IsExact && !can.Has(TransportFeatures.Patterns))
            {
                problems.Add($"The {handler} needs {TransportFeatures.Patterns}.");
            }

            if (handler is { Kind: MessageKind.Signal, Group: not null } && !can.Has(TransportFeatures.SignalGroups))
            {
                problems.Add($"The {handler} needs {TransportFeatures.SignalGroups}.");
            }

            if (handler.Group is { } group && !can.AllowsAnyGroupName && !Topic.IsSegment(group))
            {
                problems.Add($"The {handler} is in the group '{group}'; letters, digits, '-' and '_' are allowed.");
            }

            if (handler.Options.AuthorizationPolicies.Count > 0 && !can.Has(TransportFeatures.Authorization))
            {
                problems.Add(
                    $"The {handler} demands authorization (RequireAuthorization) and needs {TransportFeatures.Authorization}; " +
                    "without it the handler would run for every caller.");
            }

            if (handler.Options.Ordered && !can.Has(TransportFeatures.OrderedDelivery))
            {
                problems.Add($"The {handler} is ordered and needs {TransportFeatures.OrderedDelivery}.");
            }
        }

        if (bodies.MaxBytes > can.MaxBodyBytes)
        {
            problems.Add($"{bodies.Key} is {bodies.MaxBytes}; the transport moves at most {can.MaxBodyBytes}.");
        }

        if (problems.Count > 0)
        {
            throw new InvalidOperationException(
                $"The {transport} transport cannot do what is asked of it. {string.Join(' ', problems)} It has: {can.Features}.");
        }
    }
}
