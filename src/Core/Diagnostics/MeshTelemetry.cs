namespace ServiceMesh;

/// <summary>The names under which the bus is observed, for <c>AddSource</c> and <c>AddMeter</c> of OpenTelemetry.</summary>
/// <example>
/// <code source="samples/Telemetry/Program.cs" region="opentelemetry" />
/// </example>
public static class MeshTelemetry
{
    /// <summary>The name of the activity source: requests, signals, handlers and compositions.</summary>
    public const string SourceName = "ServiceMesh";

    /// <summary>The name of the meter: the bus, and what its transports count.</summary>
    public const string MeterName = "ServiceMesh";
}
