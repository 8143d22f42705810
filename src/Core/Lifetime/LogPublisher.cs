namespace ServiceMesh;

/// <summary>
/// Publishes the log of a node, one entry after the other, while the node runs. It neither logs nor reports what becomes of them: what
/// could not be published is counted, in the next entry and in the metric of lost messages.
/// </summary>
internal sealed class LogPublisher(MeshLog? log, NodeIdentity node, Sender sender, Telemetry telemetry, TimeProvider clock)
{
    private static readonly RequestOptions s_options = new() { Timeout = TimeSpan.FromSeconds(5) };

    // While the transport is away, entries wait, and are lost when too many do.
    private static readonly TimeSpan s_pause = TimeSpan.FromSeconds(1);

    private readonly SignalTopic<LogEntry> _topic = MeshTopics.Log(node.Id);
    private Task _loop = Task.CompletedTask;
    private volatile bool _isStopping;
    private volatile bool _isAbandoned;

    public void Start() => _loop = log is null ? Task.CompletedTask : PublishAllAsync(log);

    /// <summary>Publishes what waits, and ends; at the latest when the limit has passed.</summary>
    public async Task StopAsync(TimeSpan limit)
    {
        log?.Complete();
        _isStopping = true;
        await _loop.WaitAsync(limit, clock).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _isAbandoned = true;
    }

    private async Task PublishAllAsync(MeshLog entries)
    {
        MeshLog.BeQuiet();
        await foreach (var entry in entries.Waiting.ReadAllAsync().ConfigureAwait(false))
        {
            var lost = entries.TakeLost();
            if (_isAbandoned)
            {
                Count(lost + 1);
                continue;
            }

            try
            {
                using var scope = sender.Begin(s_options, CancellationToken.None);
                await sender.SignalAsync(_topic, entry with { Node = node.Id, Lost = lost }, scope).ConfigureAwait(false);
                Count(lost);
            }
            catch (Exception failure)
            {
                entries.Lose(lost + 1);
                if (!_isStopping && failure is TransportUnavailableException)
                {
                    await Task.Delay(s_pause, clock).ConfigureAwait(false);
                }
            }
        }

        Count(entries.TakeLost());
    }

    private void Count(long lost)
    {
        for (; lost > 0; lost--)
        {
            telemetry.Dropped("log-overflow", _topic.ToString());
        }
    }
}
