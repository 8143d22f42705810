using ServiceMesh.Links;

namespace ServiceMesh.Redis;

/// <summary>
/// Publishes answers to foreign callers. Ruby publishes a request before its own SUBSCRIBE has reached Redis, so a fast answer may
/// reach no connection: it is published again, at most twice. Thread-safe.
/// </summary>
internal sealed class Answers
{
    // 5 and 50 ms after the first time.
    private static readonly TimeSpan[] s_pauses = [TimeSpan.FromMilliseconds(5), TimeSpan.FromMilliseconds(45)];

    private readonly RedisConnection _connection;
    private readonly TimeProvider _clock;
    private readonly Publications<Unheard> _publications;
    private int _waiting;

    public Answers(RedisConnection connection, LossLog losses, TimeProvider clock)
    {
        (_connection, _clock) = (connection, clock);
        _publications = new(
            connection, Published,
            (answer, failure) => losses.Report("not-published", answer.Topic, failure.Message, StatusCode.Unavailable));
    }

    /// <summary>Does not wait. An answer that cannot be published is a loss that is reported.</summary>
    /// <param name="channel">That of the caller.</param>
    /// <param name="frame">The answer.</param>
    /// <param name="topic">What the loss is about.</param>
    public void Publish(string channel, byte[] frame, string topic) => _publications.Publish(channel, frame, new(channel, frame, topic, 0));

    /// <summary>Ends when the answers that wait to be published again have been, or when the token fires.</summary>
    public async Task EndAsync(CancellationToken cancellationToken)
    {
        if (Volatile.Read(ref _waiting) > 0)
        {
            await Task.Delay(s_pauses[0] + s_pauses[1], _clock, cancellationToken)
                .ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private void Published(Unheard answer, long receivers)
    {
        // A server of a cluster counts its own connections only, so that 0 proves nothing there.
        if (receivers == 0 && answer.Attempt < s_pauses.Length && !_connection.IsCluster)
        {
            _ = RepeatAsync(answer);
        }
    }

    private async Task RepeatAsync(Unheard answer)
    {
        Interlocked.Increment(ref _waiting);
        await Task.Delay(s_pauses[answer.Attempt], _clock).ConfigureAwait(false);
        _publications.Publish(answer.Channel, answer.Frame, answer with { Attempt = answer.Attempt + 1 });
        Interlocked.Decrement(ref _waiting);
    }

    /// <summary>One answer, and how often it was published before.</summary>
    private sealed record Unheard(string Channel, byte[] Frame, string Topic, int Attempt);
}
