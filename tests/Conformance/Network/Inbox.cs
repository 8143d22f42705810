using System.Collections.Concurrent;
using System.Threading.Channels;

namespace ServiceMesh.Conformance;

/// <summary>A subscriber that keeps what it receives. One may serve several subscriptions. Thread-safe.</summary>
public sealed class Inbox<T>
{
    private readonly ConcurrentQueue<T> _all = new();
    private readonly Channel<T> _arrived = Channel.CreateUnbounded<T>();

    /// <summary>Everything that has arrived, in order of arrival.</summary>
    public IReadOnlyCollection<T> All => _all;

    /// <summary>The handler.</summary>
    public Task ReceiveAsync(T value, HandlerContext context)
    {
        Put(value);
        return Task.CompletedTask;
    }

    public void Put(T value)
    {
        _all.Enqueue(value);
        _arrived.Writer.TryWrite(value);
    }

    /// <summary>The next value, when it arrives.</summary>
    public Task<T> NextAsync() => _arrived.Reader.ReadAsync().AsTask().InTime();

    /// <summary>The next <paramref name="count"/> values, when they have arrived.</summary>
    public async Task<T[]> NextAsync(int count)
    {
        var next = new T[count];
        for (var i = 0; i < count; i++)
        {
            next[i] = await NextAsync();
        }

        return next;
    }
}
