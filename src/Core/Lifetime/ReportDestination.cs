using Microsoft.Extensions.Logging;

namespace ServiceMesh;

/// <summary>
/// Where error reports go: published as a signal, or put into the queue. The queue is opened when it is first used, and closed after
/// the last report.
/// </summary>
internal sealed class ReportDestination(
    ErrorPolicy policy, Lazy<IErrorStore> queue, Sender sender, Telemetry telemetry, ILogger logger) : IDisposable
{
    // A report has its own time: that of the application may be too short for any transport.
    private static readonly RequestOptions s_options = new() { Timeout = TimeSpan.FromSeconds(10) };

    public IErrorStore Queue => queue.Value;

    /// <summary>Opens a file, so that one which cannot be used is known now and not at the first failure.</summary>
    /// <param name="isOfTransport">True for a queue of the transport, which is there when the transport is.</param>
    /// <param name="cancellationToken">Stops waiting.</param>
    public async ValueTask OpenAsync(bool isOfTransport, CancellationToken cancellationToken)
    {
        if (policy == ErrorPolicy.Queue && !isOfTransport)
        {
            await Queue.CountAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Files one report. Returns what happened to it, as the metric names it.</summary>
    public async Task<string> FileAsync(ErrorReport report)
    {
        if (policy == ErrorPolicy.Publish)
        {
            using var scope = sender.Begin(s_options, CancellationToken.None);
            var result = await sender.SignalAsync(MeshTopics.Errors, report, scope).ConfigureAwait(false);
            return result.WasReceived ? "filed" : "unheard";
        }

        var lost = await Queue.AddAsync(report).ConfigureAwait(false);
        if (lost > 0)
        {
            telemetry.Report("lost", lost);
            Log.ErrorQueueFull(logger, Queue.Capacity, lost);
        }

        return "filed";
    }

    public void Dispose()
    {
        if (queue.IsValueCreated)
        {
            (queue.Value as IDisposable)?.Dispose();
        }
    }
}
