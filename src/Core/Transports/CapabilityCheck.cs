namespace ServiceMesh.Transports;

/// <summary>Compares what the configured code needs with what the transport can, before anything starts.</summary>
internal static class CapabilityCheck
{
    /// <exception cref="InvalidOperationException">Something is needed that the transport lacks; the message names both.</exception>
    public static void Check(
        string transport, TransportCapabilities can, TransportFeatures required, ServiceMeshOptions options, IEnumerable<HandlerDefinition> handlers)
    {
        var complaints = new List<string>();
        if ((required & ~can.Features) is var lacking && lacking != TransportFeatures.None)
        {
            complaints.Add($"The application requires {lacking}.");
        }

        foreach (var handler in handlers)
        {
            if (!handler.Pattern.IsExact && !can.Has(TransportFeatures.Patterns))
            {
                complaints.Add($"The {handler} needs {TransportFeatures.Patterns}.");
            }

            if (handler is { Kind: MessageKind.Signal, Group: not null } && !can.Has(TransportFeatures.SignalGroups))
            {
                complaints.Add($"The {handler} needs {TransportFeatures.SignalGroups}.");
            }

            if (handler.Options.Ordered && !can.Has(TransportFeatures.OrderedDelivery))
            {
                complaints.Add($"The {handler} is ordered and needs {TransportFeatures.OrderedDelivery}.");
            }
        }

        if (options.Request.MaxBodyBytes > can.MaxBodyBytes)
        {
            complaints.Add($"{options.KeyOf("Request:MaxBodyBytes")} is {options.Request.MaxBodyBytes}; the transport moves at most {can.MaxBodyBytes}.");
        }

        if (complaints.Count > 0)
        {
            throw new InvalidOperationException(
                $"The {transport} transport cannot do what is asked of it. {string.Join(' ', complaints)} It has: {can.Features}.");
        }
    }
}
