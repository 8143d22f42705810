using System.Collections.Concurrent;

namespace ServiceMesh.Redis;

/// <summary>
/// Publishes, and tells later what became of it, in order and on a thread of the client. Redis answers in the order of the
/// commands, so one loop waits for the oldest and finds that many more have been answered meanwhile: most publications
/// cost no continuation, which with this client is a place in a queue and a turn of a thread for each. Thread-safe.
/// </summary>
/// <typeparam name="T">What a publication is about.</typeparam>
/// <param name="connection">Where to.</param>
/// <param name="published">It is out, and so many connections heard it. Does not throw and does nothing slow.</param>
/// <param name="failed">It is lost, or its answer is. Does not throw and does nothing slow.</param>
internal sealed class Publications<T>(RedisConnection connection, Action<T, long> published, Action<T, TransportException> failed)
{
    private readonly ConcurrentQueue<(Task<long> Answer, T About)> _underway = new();
    private int _isWaiting;

    public void Publish(string channel, byte[] frame, T about)
    {
        var answer = Publisher.Send(connection, channel, frame);
        if (connection.IsCluster)
        {
            // Each server answers in an order of its own.
            _ = TellAsync(answer, about).AsTask();
            return;
        }

        _underway.Enqueue((answer, about));
        if (Interlocked.Exchange(ref _isWaiting, 1) == 0)
        {
            _ = TellInOrderAsync();
        }
    }

    private async Task TellInOrderAsync()
    {
        // While publications keep coming it goes on for many callers, and must not keep the context of the first.
        CleanContext.Enter();
        do
        {
            while (_underway.TryDequeue(out var oldest))
            {
                await TellAsync(oldest.Answer, oldest.About).ConfigureAwait(false);
            }

            Volatile.Write(ref _isWaiting, 0);
        }
        while (!_underway.IsEmpty && Interlocked.Exchange(ref _isWaiting, 1) == 0); // one may have come between the two
    }

    private async ValueTask TellAsync(Task<long> answer, T about)
    {
        long receivers;
        try
        {
            receivers = await answer.ConfigureAwait(false);
        }
        catch (Exception failure) when (RedisConnection.IsOfRedis(failure))
        {
            failed(about, Publisher.NotTaken(failure));
            return;
        }

        published(about, receivers);
    }
}
