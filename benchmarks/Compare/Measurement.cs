namespace ServiceMesh.Benchmarks;

/// <summary>
/// One turn of a contestant. Latencies and processor time are in microseconds. Bytes are null for a contestant that runs in other
/// processes, whose allocations are not known here.
/// </summary>
internal sealed record Measurement(double RequestsPerSecond, double P50, double P99, double? BytesPerRequest, double CpuMicroseconds);
