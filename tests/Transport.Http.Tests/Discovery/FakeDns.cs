using System.Net;

namespace ServiceMesh.Http.Tests;

/// <summary>A DNS that says what the test wrote into it; what is not there fails. It counts what it is asked.</summary>
internal sealed class FakeDns : IDnsLookup
{
    private int _asked;

    public Dictionary<string, DnsAnswer<IPAddress>> Addresses { get; } = [];

    /// <summary>Hosts that are silent until the test ends that.</summary>
    public Dictionary<string, TaskCompletionSource<DnsAnswer<IPAddress>>> Silent { get; } = [];

    public DnsAnswer<DnsService>? Services { get; set; }

    public DnsAnswer<string>? Texts { get; set; }

    /// <summary>Lookups of addresses that were begun.</summary>
    public int Asked => Volatile.Read(ref _asked);

    public static TimeSpan Seconds(double seconds) => TimeSpan.FromSeconds(seconds);

    public FakeDns Host(string name, int ttl, params string[] addresses)
    {
        Addresses[name] = Answer(ttl, addresses);
        return this;
    }

    public FakeDns Srv(int ttl, params (string Target, int Port, int Priority, int Weight)[] records)
    {
        Services = new([.. records.Select(r => new DnsService(r.Target, r.Port, r.Priority, r.Weight, []))], Seconds(ttl));
        return this;
    }

    public FakeDns Txt(int ttl, params string[] texts)
    {
        Texts = new([.. texts], Seconds(ttl));
        return this;
    }

    public static DnsAnswer<IPAddress> Answer(int ttl, params string[] addresses) =>
        new([.. addresses.Select(IPAddress.Parse)], Seconds(ttl));

    public Task<DnsAnswer<IPAddress>> FindAddressesAsync(string name, CancellationToken cancellationToken)
    {
        if (IPAddress.TryParse(name, out var literal))
        {
            return Task.FromResult(new DnsAnswer<IPAddress>([literal], TimeSpan.FromDays(1)));
        }

        Interlocked.Increment(ref _asked);
        return Silent.TryGetValue(name, out var silent) ? silent.Task.WaitAsync(cancellationToken)
            : Addresses.TryGetValue(name, out var answer) ? Task.FromResult(answer) : Fail<IPAddress>(name);
    }

    public Task<DnsAnswer<DnsService>> FindServicesAsync(string name, CancellationToken cancellationToken) =>
        Services is null ? Fail<DnsService>(name) : Task.FromResult(Services);

    public Task<DnsAnswer<string>> FindTextsAsync(string name, CancellationToken cancellationToken) =>
        Texts is null ? Fail<string>(name) : Task.FromResult(Texts);

    private static Task<DnsAnswer<T>> Fail<T>(string name) =>
        Task.FromException<DnsAnswer<T>>(new DnsLookupException($"No server answered {name}."));
}
