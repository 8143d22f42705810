using System.Collections.Immutable;
using System.Net;
using DnsClient;
using DnsClient.Protocol;

namespace ServiceMesh.Http;

/// <summary>
/// The lookups over DnsClient: the search list of resolv.conf, both address families side by side, aliases, and how long an answer holds.
/// Thread-safe.
/// </summary>
/// <param name="file">The system's resolver configuration.</param>
/// <param name="client">Asks one question.</param>
/// <param name="clock">The clock.</param>
internal sealed class DnsLookup(ResolvConfFile file, IDnsClient client, TimeProvider clock) : IDnsLookup
{
    private static readonly TimeSpan s_forever = TimeSpan.FromDays(1);

    // How long the family that has addresses waits for the other (RFC 8305, section 3, "Resolution Delay").
    private static readonly TimeSpan s_resolutionDelay = TimeSpan.FromMilliseconds(50);

    /// <summary>Asks the servers of the system, or those of the configuration, or lets the application's client ask.</summary>
    /// <param name="servers">Those that the configuration names: they are asked by our own client.</param>
    /// <param name="own">The client that the application registered; null for none.</param>
    /// <param name="clock">The clock.</param>
    public static DnsLookup Make(ImmutableArray<IPEndPoint> servers, ILookupClient? own, TimeProvider clock) => new(
        new(ResolvConfFile.SystemPath, servers),
        own is null || !servers.IsEmpty ? new DnsServers(DnsServers.MakeClient(), clock) : new ApplicationDnsClient(own, clock),
        clock);

    /// <inheritdoc/>
    public Task<DnsAnswer<IPAddress>> FindAddressesAsync(string name, CancellationToken cancellationToken)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        return IPAddress.TryParse(name, out var literal) ? Task.FromResult(new DnsAnswer<IPAddress>([literal], s_forever))
            : IsLocalHost(name) ? Task.FromResult(new DnsAnswer<IPAddress>([IPAddress.Loopback], s_forever))
            : SearchAsync(name, (candidate, conf) => FindFamiliesAsync(candidate, conf, cancellationToken));
    }

    /// <inheritdoc/>
    public Task<DnsAnswer<DnsService>> FindServicesAsync(string name, CancellationToken cancellationToken) =>
        SearchAsync(name, async (candidate, conf) =>
            (await AskAsync(candidate, QueryType.SRV, conf, cancellationToken).ConfigureAwait(false)).Services());

    /// <inheritdoc/>
    public Task<DnsAnswer<string>> FindTextsAsync(string name, CancellationToken cancellationToken) =>
        SearchAsync(name, async (candidate, conf) =>
            (await AskAsync(candidate, QueryType.TXT, conf, cancellationToken).ConfigureAwait(false)).Texts());

    // RFC 6761, section 6.3: no server is asked for these names.
    private static bool IsLocalHost(string name) =>
        name.TrimEnd('.') is var host
        && (host.Equals("localhost", StringComparison.OrdinalIgnoreCase)
            || host.EndsWith(".localhost", StringComparison.OrdinalIgnoreCase));

    /// <summary>Goes through the names that a short one can mean, to the first that has records.</summary>
    private async Task<DnsAnswer<T>> SearchAsync<T>(string name, Func<string, ResolvConf, Task<DnsAnswer<T>>> findAsync)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        var conf = file.Read();
        DnsAnswer<T>? none = null;
        DnsLookupException? unknown = null;
        foreach (var candidate in conf.Candidates(name))
        {
            try
            {
                var answer = await findAsync(candidate, conf).ConfigureAwait(false);
                if (!answer.Records.IsEmpty)
                {
                    return answer;
                }

                none = none is null || answer.TimeToLive < none.TimeToLive ? answer : none;
            }
            catch (DnsLookupException failure)
            {
                unknown ??= failure;
            }
            catch (ArgumentException) when (candidate != name)
            {
                // With the domain it is too long to be a name.
            }
        }

        // While one of the names could not be looked up, it is not certain that there is none.
        return unknown is null ? none! : throw new DnsLookupException(unknown.Message, unknown);
    }

    /// <summary>
    /// Asks for both families. When one has addresses, or A says that the name does not exist, the other is waited for a moment and
    /// no longer: it may never answer.
    /// </summary>
    private async Task<DnsAnswer<IPAddress>> FindFamiliesAsync(string name, ResolvConf conf, CancellationToken cancellationToken)
    {
        if (conf.NoAaaa)
        {
            return (await AskAsync(name, QueryType.A, conf, cancellationToken).ConfigureAwait(false)).Addresses();
        }

        var over = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var v4 = AskAsync(name, QueryType.A, conf, over.Token);
        var v6 = AskAsync(name, QueryType.AAAA, conf, over.Token);
        var first = await Task.WhenAny(v4, v6).ConfigureAwait(false);
        var second = first == v4 ? v6 : v4;
        var patience = Has(first) || IsNowhere(v4) ? s_resolutionDelay : Timeout.InfiniteTimeSpan;
        await ((Task)second).WaitAsync(patience, clock, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (Has(first) && !second.IsCompletedSuccessfully)
        {
            return first.Result.Addresses() with { Late = EndAsync(second, over) };
        }

        if (Has(second) && !first.IsCompletedSuccessfully)
        {
            return second.Result.Addresses() with { Late = EndAsync(first, over) };
        }

        await over.CancelAsync().ConfigureAwait(false);
        await Task.WhenAll((Task)first, second).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        over.Dispose();
        cancellationToken.ThrowIfCancellationRequested();
        return await BothAsync(v4, v6).ConfigureAwait(false);
    }

    // Both have ended. The family that does not exist says nothing about how long the other holds.
    private static async Task<DnsAnswer<IPAddress>> BothAsync(Task<Found> v4, Task<Found> v6)
    {
        DnsAnswer<IPAddress>[] found = [.. ((Task<Found>[])[v4, v6]).Where(Has).Select(t => t.Result.Addresses())];
        return found switch
        {
            [var one] => one,
            [var one, var two] => new([.. one.Records, .. two.Records], Least(one.TimeToLive, two.TimeToLive)),
            _ when IsNowhere(v4) => v4.Result.Addresses(),
            _ => new([], Least((await v4.ConfigureAwait(false)).TimeToLive, (await v6.ConfigureAwait(false)).TimeToLive)),
        };
    }

    private static TimeSpan Least(TimeSpan a, TimeSpan b) => a < b ? a : b;

    private static bool Has(Task<Found> family) => family is { IsCompletedSuccessfully: true, Result.Records.IsEmpty: false };

    // Some servers say this to AAAA about names that have an A record (RFC 4074, section 4.2), so AAAA's word is not enough.
    private static bool IsNowhere(Task<Found> v4) => v4 is { IsCompletedSuccessfully: true, Result.NameExists: false };

    private static async Task<DnsAnswer<IPAddress>> EndAsync(Task<Found> late, CancellationTokenSource over)
    {
        using (over)
        {
            return (await late.ConfigureAwait(false)).Addresses();
        }
    }

    /// <summary>Asks, and asks again for the end of the aliases when the server did not follow them itself.</summary>
    private async Task<Found> AskAsync(string name, QueryType type, ResolvConf conf, CancellationToken cancellationToken)
    {
        var question = QuestionOf(name, type);
        var chain = new AliasChain(question.QueryName.Value, type);
        while (true)
        {
            var reply = await client.AskAsync(question, conf, cancellationToken).ConfigureAwait(false);
            var asked = chain.End;
            var records = chain.Follow(reply.Answers);
            if (!records.IsEmpty)
            {
                return new(records, reply.Additionals, chain.TimeToLive, NameExists: true);
            }

            if (reply.SaysAbsent || chain.End == asked)
            {
                return new([], [], Least(chain.TimeToLive, reply.AbsenceHolds), reply.NameExists);
            }

            question = QuestionOfAlias(name, chain.End, type);
        }
    }

    // What an alias says comes from outside: a bad one tells nothing about whether the name exists.
    private static DnsQuestion QuestionOfAlias(string name, string alias, QueryType type)
    {
        try
        {
            return QuestionOf(alias, type);
        }
        catch (ArgumentException failure)
        {
            throw new DnsLookupException($"An alias of '{name}' leads to what is not a DNS name. Correct its CNAME record.", failure);
        }
    }

    // The library would ask for the part before an empty label.
    private static DnsQuestion QuestionOf(string name, QueryType type) =>
        name.Split('.')[..(name.EndsWith('.') ? ^1 : ^0)].Any(label => label.Length == 0)
            ? throw new ArgumentException($"'{name}' is not a DNS name: it has an empty label.", nameof(name))
            : new(name, type);

    /// <summary>The records at the end of the aliases, and what the server sent along.</summary>
    private sealed record Found(
        ImmutableArray<DnsResourceRecord> Records, IReadOnlyList<DnsResourceRecord> Along, TimeSpan TimeToLive, bool NameExists)
    {
        public DnsAnswer<IPAddress> Addresses() => new([.. Records.OfType<AddressRecord>().Select(r => r.Address)], TimeToLive);

        public DnsAnswer<string> Texts() => new([.. Records.OfType<TxtRecord>().Select(r => string.Concat(r.Text))], TimeToLive);

        public DnsAnswer<DnsService> Services()
        {
            var timeToLive = TimeToLive;
            var services = Records.OfType<SrvRecord>().Select(record =>
            {
                var target = record.Target.Value;
                AddressRecord[] addresses =
                [
                    .. Along.OfType<AddressRecord>().Where(a => DnsReply.OwnerOf(a).Equals(target, StringComparison.OrdinalIgnoreCase)),
                ];
                timeToLive = addresses.Select(a => TimeSpan.FromSeconds(a.TimeToLive)).Append(timeToLive).Min();
                return new DnsService(
                    target.TrimEnd('.'), record.Port, record.Priority, record.Weight, [.. addresses.Select(a => a.Address)]);
            }).ToImmutableArray();
            return new(services, timeToLive);
        }
    }
}
