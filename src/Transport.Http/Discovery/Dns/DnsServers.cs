using System.Net;
using DnsClient;

namespace ServiceMesh.Http;

/// <summary>
/// Goes through the servers until one answers: the one that answered last is first, a server that fails is followed by the next at once,
/// and a silent one is waited for and not waited out: the next is asked beside it. Thread-safe.
/// </summary>
/// <remarks>
/// The library itself would wait out a dead first server with every query, as it remembers nothing. So it is asked for one server
/// and one attempt at a time, and the order, the retries and the timeouts are here.
/// </remarks>
/// <param name="client">The library; its own servers are not used.</param>
/// <param name="clock">The clock.</param>
internal sealed class DnsServers(ILookupClient client, TimeProvider clock) : IDnsClient
{
    // What a datagram may carry without being torn apart on its way (DNS flag day 2020).
    private const int LargestDatagram = 1232;

    // How long a server may be silent before the next one is asked too. Three servers are asked well within a connect timeout of 3 s.
    private static readonly TimeSpan s_headStart = TimeSpan.FromMilliseconds(500);

    private int _turn = -1;
    private IPEndPoint? _lastThatAnswered;

    /// <summary>A client of the library without servers of its own.</summary>
    public static LookupClient MakeClient() => new(new LookupClientOptions { AutoResolveNameServers = false, UseCache = false });

    /// <inheritdoc/>
    public async Task<DnsReply> AskAsync(DnsQuestion question, ResolvConf conf, CancellationToken cancellationToken)
    {
        using var over = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var running = new List<Task<Attempt>>();
        var failures = new Dictionary<IPEndPoint, Attempt>();
        try
        {
            for (var round = 0; round < conf.Attempts; round++)
            {
                var waiting = new Queue<IPEndPoint>(InOrder(conf));
                while (waiting.Count > 0 || running.Count > 0)
                {
                    if (waiting.TryDequeue(out var server))
                    {
                        // A server that was silent may drop questions with EDNS.
                        var isSilent = failures.GetValueOrDefault(server)?.IsSilent ?? false;
                        running.Add(AskOneAsync(server, question, conf.Timeout, edns: !isSilent, over.Token));
                    }

                    var pause = waiting.Count > 0 ? s_headStart : Timeout.InfiniteTimeSpan;
                    if (await FirstAsync(running, pause, over.Token).ConfigureAwait(false) is not { } ended)
                    {
                        continue;
                    }

                    running.Remove(ended);
                    var attempt = await ended.ConfigureAwait(false);
                    if (attempt.Reply is { } reply)
                    {
                        Volatile.Write(ref _lastThatAnswered, attempt.Server);
                        return reply;
                    }

                    failures[attempt.Server] = attempt;
                }
            }
        }
        finally
        {
            await over.CancelAsync().ConfigureAwait(false);
            await Task.WhenAll((IEnumerable<Task>)running).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        throw new DnsLookupException(
            $"No DNS server answered {question.QuestionType} {question.QueryName.Value}: " +
            $"{string.Join("; ", failures.Values.Select(f => $"{f.Server} {f.Failure}"))}. " +
            "Check these servers, or name others in Http:Dns:Servers.");
    }

    private IPEndPoint[] InOrder(ResolvConf conf)
    {
        if (conf.Rotate)
        {
            var first = (int)(unchecked((uint)Interlocked.Increment(ref _turn)) % (uint)conf.Servers.Length);
            return [.. conf.Servers[first..], .. conf.Servers[..first]];
        }

        return Volatile.Read(ref _lastThatAnswered) is { } last && conf.Servers.Contains(last)
            ? [last, .. conf.Servers.Where(s => !s.Equals(last))]
            : [.. conf.Servers];
    }

    private async Task<Attempt> AskOneAsync(
        IPEndPoint server, DnsQuestion question, TimeSpan limit, bool edns, CancellationToken cancellationToken)
    {
        using var time = new CancellationTokenSource(limit, clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(time.Token, cancellationToken);
        try
        {
            var response = await QueryAsync(server, question, edns, either.Token).ConfigureAwait(false);
            if (edns && response.Header.ResponseCode is DnsHeaderResponseCode.FormatError or DnsHeaderResponseCode.NotImplemented)
            {
                response = await QueryAsync(server, question, edns: false, either.Token).ConfigureAwait(false);
            }

            return DnsReply.WhyNone(response, question) is { } reason
                ? new(server, null, reason)
                : new(server, DnsReply.Of(response), null);
        }
#pragma warning disable CA1031 // The library reads bytes from outside: whatever it throws, this server has no answer.
        catch (Exception failure)
#pragma warning restore CA1031
        {
            // The library reports a timeout and a cancellation alike.
            cancellationToken.ThrowIfCancellationRequested();
            return time.IsCancellationRequested
                ? new(server, null, $"did not answer within {limit.TotalSeconds:0.#} s", IsSilent: true)
                : new(server, null, DnsReply.ReasonOf(failure));
        }
    }

    private Task<IDnsQueryResponse> QueryAsync(IPEndPoint server, DnsQuestion question, bool edns, CancellationToken cancellationToken)
    {
        var options = new DnsQueryOptions
        {
            UseCache = false,
            ThrowDnsErrors = false,
            UseRandomNameServer = false,
            Retries = 0,
            Timeout = Timeout.InfiniteTimeSpan, // by our clock
            ExtendedDnsBufferSize = edns ? LargestDatagram : DnsQueryOptions.MinimumBufferSize,
        };
        return client.QueryServerAsync([new NameServer(server)], question, options, cancellationToken);
    }

    // Null when none has ended after the pause.
    private async Task<Task<Attempt>?> FirstAsync(List<Task<Attempt>> running, TimeSpan pause, CancellationToken cancellationToken)
    {
        using var over = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var ended = await Task.WhenAny([.. running, Task.Delay(pause, clock, over.Token)]).ConfigureAwait(false);
        await over.CancelAsync().ConfigureAwait(false);
        cancellationToken.ThrowIfCancellationRequested();
        return ended as Task<Attempt>;
    }

    /// <summary>What came of asking one server once.</summary>
    private sealed record Attempt(IPEndPoint Server, DnsReply? Reply, string? Failure, bool IsSilent = false);
}
