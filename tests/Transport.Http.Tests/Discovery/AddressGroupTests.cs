using NUnit.Framework;

namespace ServiceMesh.Http.Tests;

public sealed class AddressGroupTests
{
    [TestCase("dns://weather.internal:5080", "dns", "weather.internal", 5080)]
    [TestCase("DNS://weather.internal:5080", "dns", "weather.internal", 5080)]
    [TestCase(" dns://weather.internal:5080 ", "dns", "weather.internal", 5080)]
    [TestCase("dns:weather.internal.:1", "dns", "weather.internal.", 1)]
    [TestCase("dns://txt:5080", "dns", "txt", 5080)]
    [TestCase("dns://txt:weather.internal:5080", "dns+txt", "weather.internal", 5080)]
    [TestCase("dns://txt:weather.internal", "dns+txt", "weather.internal", 0)]
    [TestCase("dns+txt://weather.internal", "dns+txt", "weather.internal", 0)]
    [TestCase("dns+srv://_mesh._tcp.weather.internal", "dns+srv", "_mesh._tcp.weather.internal", 0)]
    [TestCase("http://localhost", "http", "localhost", 80)]
    [TestCase("https://localhost/", "https", "localhost", 443)]
    [TestCase("http://[::1]:5080", "http", "::1", 5080)]
    [TestCase("static:a:1,b:2;weight=3", "static", "", 0)]
    [TestCase("file:services/weather.json", "file", "", 0)]
    public void An_address_is_read(string text, string scheme, string host, int port)
    {
        var group = AddressGroup.Parse(text);
        Assert.That((group.Scheme, group.Host, group.Port), Is.EqualTo((scheme, host, port)));
    }

    [TestCase("weather", "has no scheme")]
    [TestCase("", "has no scheme")]
    [TestCase("consul://weather:1", "has the unknown scheme 'consul'. Allowed are static, http, https, dns, dns+srv, dns+txt, file")]
    [TestCase("weather:5080", "has the unknown scheme 'weather'")]
    [TestCase("dns://", "nothing follows 'dns:'")]
    [TestCase("dns://[weather:80", "is not host:port")]
    [TestCase("dns://weather", "has no port (write weather:5080)")]
    [TestCase("dns://weather:0", "'0' is not a port")]
    [TestCase("dns://weather:65536", "'65536' is not a port between 1 and 65535")]
    [TestCase("dns://weather:+80", "'+80' is not a port")]
    [TestCase("dns://a b:80", "is not host:port: a host is an IP address or a name of letters, digits, '-', '_' and '.'")]
    [TestCase("http://user@weather:80", "'user@weather:80' is not host:port")]
    [TestCase("dns://a..b:80", "'a..b:80' is not host:port")]
    [TestCase("dns://{weather}:80", "is not host:port")]
    [TestCase("dns://a%b:80", "is not host:port")]
    [TestCase("dns://[::1%@]:80", "is not host:port")]
    [TestCase("dns://::1:80", "write an IPv6 address in brackets")]
    [TestCase("http://weather:80/a?b", "'/a?b' is not a path")]
    [TestCase("http://weather:80/a/../b", "'/a/../b' is not a path")]
    [TestCase("dns://weather:80/path", "'80/path' is not a port")]
    [TestCase("dns+srv://_mesh._tcp.weather:80", "the ports of dns+srv come from the SRV records")]
    public void A_bad_address_says_what_is_wrong_and_what_is_allowed(string text, string expected)
    {
        var failure = Assert.Throws<FormatException>(() => AddressGroup.Parse(text));
        Assert.That(failure!.Message, Does.StartWith($"The address '{text}'").And.Contain(expected));
    }

    [Test]
    public void What_passes_for_a_host_can_be_part_of_a_URI_and_of_a_header()
    {
        var random = new Random(1);
        const string Alphabet = "ab1.:-_%[]é\0\n /@#09f";
        var hosts = 0;
        for (var i = 0; i < 200_000; i++)
        {
            var text = new string(random.GetItems<char>(Alphabet, random.Next(1, 9)));
            if (ResolvedAddress.IsHost(text))
            {
                hosts++;
                var host = text.Contains(':', StringComparison.Ordinal) ? $"[{text}]" : text;
                using var request = new HttpRequestMessage(HttpMethod.Get, $"http://{host}:80/x");
                Assert.That(request.RequestUri!.AbsolutePath, Is.EqualTo("/x"), text);
                Assert.That(() => request.Headers.Host = $"{host}:80", Throws.Nothing, text);
            }
        }

        Assert.That(hosts, Is.GreaterThan(10_000));
    }

    [Test]
    public void A_scheme_of_ones_own_keeps_its_target()
    {
        var group = AddressGroup.Parse("etcd://10.0.0.1:2379/services/weather", ["etcd"]);
        Assert.That(
            (group.Scheme, group.Host, group.Port, group.Target), Is.EqualTo(("etcd", "10.0.0.1", 2379, "10.0.0.1:2379/services/weather")));
    }
}
