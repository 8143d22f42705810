using System.Net;
using DnsClient;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
using NUnit.Framework;
using ServiceMesh.Conformance;
using ServiceMesh.Support;

namespace ServiceMesh.Http.Tests;

/// <summary>An application that registered a DNS client of its own.</summary>
[CancelAfter(30_000)]
public sealed class ApplicationDnsClientTests
{
    private static CancellationToken Token => TestContext.CurrentContext.CancellationToken;

    [Test]
    public async Task The_client_of_the_container_is_asked()
    {
        await using var server = await FaultServer.StartAsync();
        await using var dns = await DnsServer.StartAsync("--host-record=weather.internal,127.0.0.1");
        await using var services = Services(new LookupClient(dns.EndPoint), $"dns://weather.internal:{server.Port}");
        using var http = services.GetRequiredService<IHttpClientFactory>().CreateClient("weather");
        using var response = await http.GetAsync(new Uri("http://weather/"), Token);
        Assert.That(response.StatusCode, Is.EqualTo(HttpStatusCode.OK));
    }

    [Test]
    public async Task Servers_in_the_configuration_are_asked_in_its_place()
    {
        await using var server = await FaultServer.StartAsync();
        await using var silent = ScriptedDnsServer.Start(_ => []);
        await using var dns = await DnsServer.StartAsync("--host-record=weather.internal,127.0.0.1");
        await using var services = Services(new LookupClient(silent.EndPoint), $"dns://weather.internal:{server.Port}", dns.EndPoint);
        using var http = services.GetRequiredService<IHttpClientFactory>().CreateClient("weather");
        using var response = await http.GetAsync(new Uri("http://weather/"), Token);
        Assert.That((response.StatusCode, silent.Queries.Count), Is.EqualTo((HttpStatusCode.OK, 0)));
    }

    [Test]
    public async Task The_search_list_holds_for_it_too()
    {
        await using var dns = await DnsServer.StartAsync("--host-record=weather.mine.internal,10.0.0.1");
        using var conf = new TemporaryFile("search mine.internal");
        var answer = await Lookup(new LookupClient(dns.EndPoint), conf.Path).FindAddressesAsync("weather", Token);
        Assert.That(answer.Records.Single(), Is.EqualTo(IPAddress.Parse("10.0.0.1")));
    }

    [TestCase(false)]
    [TestCase(true)]
    public async Task That_a_name_does_not_exist_is_an_empty_answer_whether_it_is_thrown_or_not(bool throws)
    {
        await using var dns = await DnsServer.StartAsync();
        var client = new LookupClient(new LookupClientOptions(dns.EndPoint) { ThrowDnsErrors = throws });
        Assert.That((await Lookup(client).FindAddressesAsync("none.internal.", Token)).Records, Is.Empty);
    }

    [Test]
    public async Task The_time_that_its_cache_has_kept_an_absence_counts()
    {
        await using var dns = ScriptedDnsServer.Start(query => [query.Answer(code: 3).Soa("internal", 60, 20).ToArray()]);
        var client = new LookupClient(new LookupClientOptions(dns.EndPoint)
        {
            CacheFailedResults = true,
            FailedResultsCacheDuration = TimeSpan.FromMinutes(1),
            ThrowDnsErrors = false,
        });
        var lookup = Lookup(client);
        var first = await lookup.FindTextsAsync("weather.internal.", Token);
        Assert.That(first.TimeToLive, Is.EqualTo(TimeSpan.FromSeconds(20)));
        await Failsafe.UntilAsync(async () => (await lookup.FindTextsAsync("weather.internal.", Token)).TimeToLive < first.TimeToLive);
        Assert.That(dns.Queries, Has.Count.EqualTo(1), "from the cache");
    }

    [Test]
    public async Task A_failure_says_that_the_client_is_the_applications()
    {
        await using var dns = ScriptedDnsServer.Start(query => [query.Answer(code: 2).ToArray()]);
        var lookup = Lookup(new LookupClient(dns.EndPoint));
        var failure = await Assert.ThrowsAsync<DnsLookupException>(() => lookup.FindTextsAsync("weather.internal.", Token));
        Assert.That(
            failure!.Message,
            Is.EqualTo("The application's DNS client has no answer to TXT weather.internal.: it answered ServerFailure."));
    }

    [Test]
    public async Task An_answer_to_another_question_does_not_count()
    {
        await using var dns = ScriptedDnsServer.Start(query =>
        [
            new PacketWriter().Id(query.Id).Flags(0x8580).Question("other.internal", query.Type)
                .Txt("weather.internal", "forged").ToArray(),
        ]);
        var lookup = Lookup(new LookupClient(dns.EndPoint));
        var failure = await Assert.ThrowsAsync<DnsLookupException>(() => lookup.FindTextsAsync("weather.internal.", Token));
        Assert.That(failure!.Message, Does.Contain("it answered another question"));
    }

    [Test]
    public async Task A_client_that_waits_for_ever_is_waited_for_30_s()
    {
        var manual = new FakeTimeProvider();
        var clock = new WaitingClock(manual);
        await using var dns = ScriptedDnsServer.Start(_ => []);
        var client = new LookupClient(new LookupClientOptions(dns.EndPoint) { Timeout = Timeout.InfiniteTimeSpan });
        var lookup = new DnsLookup(new("none", []), new ApplicationDnsClient(client, clock), clock);
        var finding = lookup.FindTextsAsync("weather.internal.", Token);
        await clock.WaitsAsync(TimeSpan.FromSeconds(30));
        manual.Advance(TimeSpan.FromSeconds(30));
        await Assert.ThrowsAsync<DnsLookupException>(() => finding);
    }

    [Test]
    public void No_public_type_belongs_to_the_DNS_but_its_settings() =>
        Assert.That(
            typeof(HttpTransportOptions).Assembly.GetExportedTypes()
                .Where(t => t.Name.Contains("Dns", StringComparison.Ordinal) || t.Name.Contains("Stub", StringComparison.Ordinal)),
            Is.EqualTo([typeof(HttpDnsOptions)]));

    private static DnsLookup Lookup(ILookupClient client, string conf = "none") =>
        new(new(conf, []), new ApplicationDnsClient(client, TimeProvider.System), TimeProvider.System);

    private static ServiceProvider Services(ILookupClient client, string address, IPEndPoint? server = null)
    {
        var services = new ServiceCollection();
        services.AddSingleton(client);
        services.AddHttpClient("weather").AddServiceMesh(configure: options =>
        {
            options.Services["weather"] = new() { Address = address };
            options.Dns.Servers = server?.ToString();
        });
        return services.BuildServiceProvider();
    }
}
