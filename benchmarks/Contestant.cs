namespace ServiceMesh.Benchmarks;

/// <summary>Something that is measured: how one unit of work is done, and how many requests that is.</summary>
internal sealed record Contestant(string Name, int RequestsPerUnit, Func<CancellationToken, Task> RunOnceAsync);
