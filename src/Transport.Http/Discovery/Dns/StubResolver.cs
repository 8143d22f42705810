using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Net;
using System.Net.Sockets;

namespace ServiceMesh.Http;

/// <summary>
/// Asks the system's DNS servers, or those that it is given. It keeps no positive answers: who asks knows how long
/// they are good. Equal questions that are asked at the same time are sent once. Thread-safe.
/// </summary>
public sealed class StubResolver : IDnsResolver
{
    private static readonly TimeSpan s_forever = TimeSpan.FromDays(1);

    private readonly ResolvConfFile _conf;
    private readonly NegativeCache _missing;
    private readonly DnsServers _servers;
    private readonly ConcurrentDictionary<(string, DnsType), Lazy<Task<Found>>> _asked = new();

    /// <summary>Makes a resolver. It opens nothing until it is asked.</summary>
    /// <param name="options">How it asks; null: as the system is configured.</param>
    public StubResolver(StubResolverOptions? options = null)
    {
        options ??= new();
        _conf = new(options.ResolvConfPath, [.. options.Servers]);
        _missing = new(options.Clock);
        _servers = new(options.Clock);
    }

    /// <inheritdoc/>
    public Task<DnsAnswer<DnsAddress>> ResolveAddressesAsync(string name, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        if (IPAddress.TryParse(name, out var literal))
        {
            return Task.FromResult(new DnsAnswer<DnsAddress>([new(literal, s_forever)], s_forever));
        }

        // RFC 6761: no server is asked for this name.
        return DnsName.Comparer.Equals(name.TrimEnd('.'), "localhost")
            ? Task.FromResult(new DnsAnswer<DnsAddress>([new(IPAddress.Loopback, s_forever)], s_forever))
            : SearchAsync(name, AddressesOfAsync, cancellationToken);
    }

    /// <inheritdoc/>
    public Task<DnsAnswer<DnsService>> ResolveServicesAsync(string name, CancellationToken cancellationToken = default) =>
        SearchAsync(name, async (candidate, conf) => (await AskAsync(candidate, DnsType.Srv, conf).ConfigureAwait(false)).Services(), cancellationToken);

    /// <inheritdoc/>
    public Task<DnsAnswer<DnsText>> ResolveTextsAsync(string name, CancellationToken cancellationToken = default) =>
        SearchAsync(name, async (candidate, conf) => (await AskAsync(candidate, DnsType.Txt, conf).ConfigureAwait(false)).Texts(), cancellationToken);

    /// <summary>Goes through the names that a short one can mean, to the first that has records.</summary>
    private async Task<DnsAnswer<T>> SearchAsync<T>(
        string name, Func<string, ResolvConf, Task<DnsAnswer<T>>> askAsync, CancellationToken cancellationToken)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        var conf = _conf.Read();
        DnsAnswer<T>? none = null;
        DnsException? failure = null;
        foreach (var candidate in conf.Candidates(name))
        {
            try
            {
                // The question may be shared with others: who leaves does not end it for them.
                var answer = await askAsync(candidate, conf).WaitAsync(cancellationToken).ConfigureAwait(false);
                if (!answer.Records.IsEmpty)
                {
                    return answer;
                }

                none = none is null ? answer : new([], Least(none.TimeToLive, answer.TimeToLive), none.NameExists || answer.NameExists);
            }
            catch (DnsException unknown)
            {
                failure ??= unknown;
            }
            catch (ArgumentException) when (candidate != name)
            {
                // With the domain it is too long to be a name.
            }
        }

        // While one of the names could not be told, it is not certain that there is none.
        return failure is null ? none! : throw new DnsException(failure.Message, failure);
    }

    private async Task<DnsAnswer<DnsAddress>> AddressesOfAsync(string name, ResolvConf conf)
    {
        var v6 = AskAsync(name, DnsType.Aaaa, conf);
        var v4 = AskAsync(name, DnsType.A, conf);
        await Task.WhenAll((Task)v4, v6).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        ImmutableArray<DnsAnswer<DnsAddress>> told = [.. ((Task<Found>[])[v4, v6]).Where(t => t.IsCompletedSuccessfully).Select(t => t.Result.Addresses())];

        // One may fail, if the other has what is needed.
        if (told.Length < 2 && told.All(a => a.Records.IsEmpty))
        {
            await v4.ConfigureAwait(false);
            await v6.ConfigureAwait(false);
        }

        // The family that does not exist says nothing about how long the other is good.
        var found = told.Where(a => !a.Records.IsEmpty).ToArray();
        return new(
            [.. found.SelectMany(a => a.Records)],
            (found.Length == 0 ? told : [.. found]).Min(a => a.TimeToLive),
            told.Any(a => a.NameExists));
    }

    /// <summary>Asks for the records of one type; equal questions of the same time share the answer.</summary>
    private async Task<Found> AskAsync(string name, DnsType type, ResolvConf conf)
    {
        var question = new DnsQuestion(name, type);
        if (_missing.Find(question) is { } missing)
        {
            return new([], [], missing.TimeToLive, missing.NameExists);
        }

        var key = (question.Name.ToUpperInvariant(), type);
        var asked = _asked.GetOrAdd(key, _ => new(() => FollowAsync(question, conf)));
        try
        {
            return await asked.Value.ConfigureAwait(false);
        }
        finally
        {
            _asked.TryRemove(new(key, asked));
        }
    }

    /// <summary>Asks, and asks again for the end of the aliases when the server did not follow them itself.</summary>
    private async Task<Found> FollowAsync(DnsQuestion question, ResolvConf conf)
    {
        var visited = new HashSet<string>(DnsName.Comparer);
        var longest = TimeSpan.MaxValue;
        var ask = question;
        while (true)
        {
            var answer = await _servers.AskAsync(ask, conf).ConfigureAwait(false);
            try
            {
                var (name, records, timeToLive) = DnsChain.Follow(answer, ask.Name, Matches(question.Type), visited);
                longest = Least(longest, timeToLive);
                if (!records.IsEmpty)
                {
                    return new(records, answer.Additional, longest, NameExists: true);
                }

                var negative = DnsChain.NegativeTimeToLive(answer);
                if (answer.Code == DnsResponseCode.NameError || negative is not null || DnsName.Comparer.Equals(name, ask.Name))
                {
                    return Missing(question, answer.Code != DnsResponseCode.NameError, Least(longest, negative ?? TimeSpan.Zero));
                }

                visited.Remove(name);
                ask = new(name + ".", question.Type);
            }
            catch (Exception garbage) when (garbage is DnsFormatException or ArgumentException)
            {
                throw new DnsException($"The answer about {question} makes no sense: {garbage.Message}", garbage);
            }
        }
    }

    private Found Missing(DnsQuestion question, bool nameExists, TimeSpan timeToLive)
    {
        _missing.Add(question, nameExists, timeToLive);
        return new([], [], timeToLive, nameExists);
    }

    private static Func<DnsRecord, bool> Matches(DnsType type) => type switch
    {
        DnsType.A => r => r is AddressRecord { Address.AddressFamily: AddressFamily.InterNetwork },
        DnsType.Aaaa => r => r is AddressRecord { Address.AddressFamily: AddressFamily.InterNetworkV6 },
        DnsType.Srv => r => r is ServiceRecord,
        _ => r => r is TextRecord,
    };

    private static TimeSpan Least(TimeSpan a, TimeSpan b) => a < b ? a : b;

    /// <summary>The records at the end of the aliases, and what the server sent along.</summary>
    private sealed record Found(ImmutableArray<DnsRecord> Records, ImmutableArray<DnsRecord> Additional, TimeSpan TimeToLive, bool NameExists)
    {
        public DnsAnswer<DnsAddress> Addresses() => new([.. Records.OfType<AddressRecord>().Select(Address)], TimeToLive, NameExists);

        public DnsAnswer<DnsText> Texts() =>
            new([.. Records.OfType<TextRecord>().Select(r => new DnsText(r.Text, r.TimeToLive))], TimeToLive, NameExists);

        public DnsAnswer<DnsService> Services() => new([.. Records.OfType<ServiceRecord>().Select(Service)], TimeToLive, NameExists);

        private DnsService Service(ServiceRecord record) => new(
            record.Target, record.Port, record.Priority, record.Weight, record.TimeToLive,
            [.. Additional.OfType<AddressRecord>().Where(a => DnsName.Comparer.Equals(a.Name, record.Target)).Select(Address)]);

        private static DnsAddress Address(AddressRecord record) => new(record.Address, record.TimeToLive);
    }
}
