using System.Net;

namespace ServiceMesh.Http.Tests;

/// <summary>A DNS that says what the test wrote into it; what is not there fails.</summary>
internal sealed class FakeDns : IDnsResolver
{
    public Dictionary<string, DnsAnswer<DnsAddress>> Addresses { get; } = [];

    public DnsAnswer<DnsService>? Services { get; set; }

    public DnsAnswer<DnsText>? Texts { get; set; }

    public static TimeSpan Seconds(int seconds) => TimeSpan.FromSeconds(seconds);

    public FakeDns Host(string name, int ttl, params string[] addresses)
    {
        Addresses[name] = new([.. addresses.Select(a => Address(a, ttl))], Seconds(ttl));
        return this;
    }

    public FakeDns Srv(int ttl, params (string Target, int Port, int Priority, int Weight)[] records)
    {
        Services = new([.. records.Select(r => new DnsService(r.Target, r.Port, r.Priority, r.Weight, Seconds(ttl), []))], Seconds(ttl));
        return this;
    }

    public FakeDns Txt(int ttl, params string[] texts)
    {
        Texts = new([.. texts.Select(t => new DnsText(t, Seconds(ttl)))], Seconds(ttl));
        return this;
    }

    public static DnsAddress Address(string address, int ttl = 60) => new(IPAddress.Parse(address), Seconds(ttl));

    public Task<DnsAnswer<DnsAddress>> ResolveAddressesAsync(string name, CancellationToken cancellationToken = default) =>
        IPAddress.TryParse(name, out _)
            ? Task.FromResult(new DnsAnswer<DnsAddress>([Address(name, 86_400)], TimeSpan.FromDays(1)))
            : Addresses.TryGetValue(name, out var answer) ? Task.FromResult(answer) : Fail<DnsAddress>(name);

    public Task<DnsAnswer<DnsService>> ResolveServicesAsync(string name, CancellationToken cancellationToken = default) =>
        Services is null ? Fail<DnsService>(name) : Task.FromResult(Services);

    public Task<DnsAnswer<DnsText>> ResolveTextsAsync(string name, CancellationToken cancellationToken = default) =>
        Texts is null ? Fail<DnsText>(name) : Task.FromResult(Texts);

    private static Task<DnsAnswer<T>> Fail<T>(string name) => Task.FromException<DnsAnswer<T>>(new DnsException($"Nobody could tell about {name}."));
}
