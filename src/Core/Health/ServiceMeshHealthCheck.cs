using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace ServiceMesh;

/// <summary>
/// Healthy; degraded while the transport repairs itself, a handler is at its limits or the node drains; unhealthy while
/// the bus does not run or the transport moves nothing. Says all reasons.
/// </summary>
internal sealed class ServiceMeshHealthCheck(IServiceBus bus, NodeLifetime lifetime) : IHealthCheck
{
    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        var problems = lifetime.HealthProblems().OrderByDescending(c => c.State).ToArray();
        var node = bus.DescribeNode();
        var data = new Dictionary<string, object>
        {
            ["node"] = node.Id,
            ["uptime"] = node.Uptime,
            ["subscriptions"] = node.Subscriptions.Count,
        };
        foreach (var (name, value) in lifetime.TransportData)
        {
            data.TryAdd(name, value);
        }

        var reasons = string.Join(' ', problems.Select(c => c.Reason));
        return Task.FromResult(problems.FirstOrDefault().State switch
        {
            TransportState.Healthy => HealthCheckResult.Healthy($"Node '{node.Id}' runs.", data),
            TransportState.Degraded => HealthCheckResult.Degraded(reasons, data: data),
            _ => new HealthCheckResult(context.Registration.FailureStatus, reasons, data: data),
        });
    }
}
