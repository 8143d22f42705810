using System.Net;
using System.Net.Sockets;

namespace ServiceMesh.Http;

/// <summary>Goes through the servers until one can tell. Thread-safe.</summary>
internal sealed class DnsServers(TimeProvider clock)
{
    private int _turn = -1;
    private IPEndPoint? _lastThatTold;

    /// <summary>Asks the servers of a configuration, each for a while, all of them several times.</summary>
    /// <exception cref="DnsException">None could tell; the message says what each did.</exception>
    public async Task<DnsMessage> AskAsync(DnsQuestion question, ResolvConf conf)
    {
        var outcomes = new Dictionary<IPEndPoint, string>();
        var silent = new HashSet<IPEndPoint>();

        // A server that was silent may drop what has EDNS: it gets its second chance without, even where one attempt was asked for.
        for (var attempt = 0; attempt < Math.Max(2, conf.Attempts); attempt++)
        {
            foreach (var server in attempt < conf.Attempts ? InOrder(conf) : [.. silent])
            {
                using var time = new CancellationTokenSource(conf.Timeout, clock);
                try
                {
                    var answer = await DnsExchange.AskAsync(server, question, edns: !silent.Contains(server), time.Token).ConfigureAwait(false);
                    if (IsTold(answer))
                    {
                        Volatile.Write(ref _lastThatTold, server);
                        return answer;
                    }

                    outcomes[server] = answer.Code == DnsResponseCode.NoError ? "knows nobody to ask" : $"answered {answer.Code}";
                }
                catch (OperationCanceledException)
                {
                    silent.Add(server);
                    outcomes[server] = $"was silent for {conf.Timeout.TotalSeconds:0.#} s";
                }
                catch (Exception failure) when (failure is SocketException or IOException or DnsFormatException)
                {
                    outcomes[server] = $"failed ({failure.Message})";
                }
            }
        }

        throw new DnsException(
            $"No DNS server could tell about {question}: {string.Join("; ", outcomes.Select(o => $"{o.Key} {o.Value}"))}.");
    }

    // "There is none" must come from one that knows; a server that only points to others has told nothing.
    private static bool IsTold(DnsMessage answer) =>
        (answer.Code == DnsResponseCode.NoError && (answer.CanTell || !answer.Answers.IsEmpty)) || answer.Code == DnsResponseCode.NameError;

    private IPEndPoint[] InOrder(ResolvConf conf)
    {
        if (conf.Rotate)
        {
            var first = (int)(unchecked((uint)Interlocked.Increment(ref _turn)) % (uint)conf.Servers.Length);
            return [.. conf.Servers[first..], .. conf.Servers[..first]];
        }

        // A dead first server costs its timeout once, and not with every question.
        return Volatile.Read(ref _lastThatTold) is { } last && conf.Servers.Contains(last)
            ? [last, .. conf.Servers.Where(s => !s.Equals(last))]
            : [.. conf.Servers];
    }
}
