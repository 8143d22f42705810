using ServiceMesh.Conformance;

namespace ServiceMesh.Http.Tests;

/// <summary>Callers that ask without a pause until the test has seen enough, each with something else every time.</summary>
internal sealed class Load : IAsyncDisposable
{
    private readonly IServiceBus _bus;
    private readonly CancellationTokenSource _enough = new();
    private readonly Task<List<string>>[] _callers;
    private int _answered;

    public Load(IServiceBus bus, int callers)
    {
        _bus = bus;
        _callers = [.. Enumerable.Range(0, callers).Select(i => Task.Run(() => AskAsync(i)))];
    }

    public int Answered => Volatile.Read(ref _answered);

    /// <summary>Ends the load, with every answer that was not what the handler says.</summary>
    public async Task<IReadOnlyList<string>> EndAsync()
    {
        await _enough.CancelAsync();
        return [.. (await Task.WhenAll(_callers).InTime()).SelectMany(f => f)];
    }

    public async ValueTask DisposeAsync()
    {
        await EndAsync();
        _enough.Dispose();
    }

    private async Task<List<string>> AskAsync(int caller)
    {
        var failures = new List<string>();
        for (var n = 0; !_enough.IsCancellationRequested; n++)
        {
            var reply = await _bus.TryRequestAsync(HttpNodes.Ask, $"{caller}.{n}");
            Interlocked.Increment(ref _answered);
            if (reply.Value != $"{caller}.{n}")
            {
                failures.Add(reply.Failure?.Message ?? $"answered {reply.Value}");
            }
        }

        return failures;
    }
}
