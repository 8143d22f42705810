using System.Net;
using NUnit.Framework;

namespace ServiceMesh.Http.Tests;

public sealed class ResolvConfTests
{
    [Test]
    public void Everything_is_read_whatever_the_white_space()
    {
        var conf = ResolvConf.Parse("""
            # a comment
            ; another
            domain old.internal
            nameserver 10.0.0.53
            nameserver	 fd00::53   trailing
              search	a.internal.   b.internal
            options ndots:2  timeout:3
            options	attempts:4 rotate unknown:7 edns0 no-aaaa
            nameserver nonsense
            nameserver 10.0.0.54
            nameserver 10.0.0.55
            """);
        Assert.That(conf.Servers.Select(s => $"{s}"), Is.EqualTo(["10.0.0.53:53", "[fd00::53]:53", "10.0.0.54:53"]), "three at most");
        Assert.That(conf.Search, Is.EqualTo(["a.internal", "b.internal"]));
        Assert.That((conf.Dots, conf.Timeout, conf.Attempts), Is.EqualTo((2, TimeSpan.FromSeconds(3), 4)));
        Assert.That((conf.Rotate, conf.NoAaaa), Is.EqualTo((true, true)));
    }

    [Test]
    public void An_empty_file_means_the_local_host()
    {
        var conf = ResolvConf.Parse("");
        Assert.That(conf.Servers, Is.EqualTo([new IPEndPoint(IPAddress.Loopback, 53)]));
        Assert.That((conf.Dots, conf.Timeout, conf.Attempts, conf.Rotate), Is.EqualTo((1, TimeSpan.FromSeconds(2), 2, false)));
    }

    [Test]
    public void Numbers_are_kept_within_their_limits()
    {
        var conf = ResolvConf.Parse("options ndots:99 timeout:99 attempts:99\noptions timeout:0 attempts:-1 ndots:x");
        Assert.That((conf.Dots, conf.Timeout, conf.Attempts), Is.EqualTo((15, TimeSpan.FromSeconds(30), 5)));
    }

    [TestCase("weather", "weather.a weather.b weather")]
    [TestCase("weather.c", "weather.c weather.c.a weather.c.b")]
    [TestCase("weather.", "weather.")]
    public void Short_names_are_searched_for_first_and_a_trailing_dot_ends_that(string name, string expected) =>
        Assert.That(string.Join(' ', ResolvConf.Parse("search a b").Candidates(name)), Is.EqualTo(expected));

    [Test]
    public void The_file_is_read_again_when_it_changes_and_kept_when_it_goes()
    {
        var path = Path.GetTempFileName();
        try
        {
            File.WriteAllText(path, "nameserver 10.0.0.1");
            var file = new ResolvConfFile(path, []);
            Assert.That($"{file.Read().Servers[0]}", Is.EqualTo("10.0.0.1:53"));
            File.WriteAllText(path, "nameserver 10.0.0.200");
            Assert.That($"{file.Read().Servers[0]}", Is.EqualTo("10.0.0.200:53"));
            File.Delete(path);
            Assert.That($"{file.Read().Servers[0]}", Is.EqualTo("10.0.0.200:53"));
        }
        finally
        {
            File.Delete(path);
        }
    }

    [Test]
    public void A_change_that_could_not_be_read_is_read_later()
    {
        var path = Path.GetTempFileName();
        try
        {
            File.WriteAllText(path, "nameserver 10.0.0.1");
            var file = new ResolvConfFile(path, []);
            Assert.That($"{file.Read().Servers[0]}", Is.EqualTo("10.0.0.1:53"));
            File.WriteAllText(path, "nameserver 10.0.0.200");
            using (File.Open(path, FileMode.Open, FileAccess.ReadWrite, FileShare.None))
            {
                Assert.That($"{file.Read().Servers[0]}", Is.EqualTo("10.0.0.1:53"));
            }

            Assert.That($"{file.Read().Servers[0]}", Is.EqualTo("10.0.0.200:53"));
        }
        finally
        {
            File.Delete(path);
        }
    }

    [Test]
    public void Servers_that_are_given_take_the_place_of_those_of_the_file()
    {
        var path = Path.GetTempFileName();
        try
        {
            File.WriteAllText(path, "nameserver 10.0.0.1\nsearch internal");
            var conf = new ResolvConfFile(path, [new(IPAddress.Loopback, 5353)]).Read();
            Assert.That((conf.Servers.Single().Port, conf.Search.Single()), Is.EqualTo((5353, "internal")));
        }
        finally
        {
            File.Delete(path);
        }
    }
}
