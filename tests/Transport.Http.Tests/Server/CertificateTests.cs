using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Logging;
using NUnit.Framework;
using ServiceMesh.Conformance;
using ServiceMesh.Support;
using static ServiceMesh.Http.Tests.HttpNodes;

namespace ServiceMesh.Http.Tests;

/// <summary>The certificates that a node shows, as a server and as a client, and what becomes of them while it runs.</summary>
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
public sealed class CertificateTests : IDisposable
{
    private const string Server = "1.3.6.1.5.5.7.3.1";
    private const string Client = "1.3.6.1.5.5.7.3.2";

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("servicemesh-certificates-");
    private readonly X509Certificate2 _root;

    public CertificateTests()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=Root", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        _root = request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-30), DateTimeOffset.UtcNow.AddDays(30));
        File.WriteAllText(PathOf("root.pem"), _root.ExportCertificatePem());
    }

    public void Dispose()
    {
        _root.Dispose();
        _folder.Delete(recursive: true);
    }

    [TestCase(true)]
    [TestCase(false)]
    public async Task A_server_that_demands_a_certificate_accepts_the_client_certificate_of_a_node(bool hasCertificate)
    {
        var port = FreePort.Next();
        await using var server = await StartServerAsync(port, Issue("server.pem", Server), ("Http:Tls:RequireClientCertificate", "true"));
        await using var caller = await StartAsync(
            null, [.. Calling(port), .. hasCertificate ? [("Http:Tls:ClientCertificate", Issue("client.pem", Client))] : NoSettings()]);

        var reply = await caller.Bus.TryRequestAsync(Ask, "x").InTime();

        Assert.That(reply.IsSuccess, Is.EqualTo(hasCertificate), reply.Failure?.Message);
    }

    [Test]
    public async Task A_certificate_for_another_use_is_refused_with_the_name_of_its_key()
    {
        var port = FreePort.Next();
        var server = await RefusalAsync(("Http:Listen", $"https://127.0.0.1:{port}"), ("Http:Tls:Certificate", Issue("c.pem", Client)));
        var client = await RefusalAsync(Listen(port), ("Http:Tls:ClientCertificate", Issue("s.pem", Server)));

        Assert.That(server, Does.Contain("ServiceMesh:Http:Tls:Certificate is").And.Contain("not for TLS servers"));
        Assert.That(client, Does.Contain("ServiceMesh:Http:Tls:ClientCertificate is").And.Contain("not for TLS clients"));
    }

    [Test]
    public async Task An_expired_certificate_of_the_node_is_a_warning_and_in_its_health()
    {
        var port = FreePort.Next();
        await using var server = await StartServerAsync(port, Issue("old.pem", Server, days: -1));

        var health = await server.Services.GetRequiredService<HealthCheckService>().CheckHealthAsync();

        Assert.That(server.Log.Has(LogLevel.Warning, "old.pem expired on"), Is.True);
        Assert.That(server.Log.Has(LogLevel.Warning, "ServiceMesh:Http:Tls:Certificate"), Is.True);
        Assert.That(health.Status, Is.EqualTo(HealthStatus.Degraded));
        Assert.That(health.Entries.Values.Single().Description, Does.Contain("old.pem expired on"));
    }

    [Test]
    public async Task Certificates_and_roots_are_read_again_when_their_files_change()
    {
        var port = FreePort.Next();
        var roots = PathOf("trusted.pem");
        await File.WriteAllTextAsync(roots, OtherRoot());
        await using var server = await StartServerAsync(port, Issue("server.pem", Server, days: -1));
        await using var caller = await StartAsync(
            null, ("Http:Services:server:Address", $"https://127.0.0.1:{port}"), ("Http:Tls:TrustedRoots", roots));
        Assert.That((await caller.Bus.TryRequestAsync(Ask, "x").InTime()).IsSuccess, Is.False);

        await File.WriteAllTextAsync(roots, "half of a file");
        await Failsafe.UntilAsync(() => caller.Log.Has(LogLevel.Warning, "Changed files cannot be read"));
        await File.WriteAllTextAsync(roots, _root.ExportCertificatePem());
        Issue("server.pem", Server);

        await Failsafe.UntilAsync(async () => (await caller.Bus.TryRequestAsync(Ask, "x")).IsSuccess);
        Assert.That(server.Log.Has(LogLevel.Information, "Read again, because they have changed"), Is.True);
    }

    [Test]
    public async Task An_endpoint_that_stays_unreachable_is_a_warning_with_its_certificate_error()
    {
        var port = FreePort.Next();
        var clock = new Microsoft.Extensions.Time.Testing.FakeTimeProvider { AutoAdvanceAmount = TimeSpan.FromMilliseconds(1) };
        await using var server = await StartServerAsync(port, Issue("server.pem", Server));
        await using var caller = await TestNode.StartAsync(
            mesh => mesh.AddHttpTransport(),
            [("Transport", "Http"), ("Http:Services:server:Address", $"https://127.0.0.1:{port}")],
            services => services.AddSingleton<TimeProvider>(clock));

        await Failsafe.UntilAsync(() =>
        {
            clock.Advance(TimeSpan.FromSeconds(1));
            return caller.Log.Has(LogLevel.Warning, $"Endpoint 127.0.0.1:{port} of service server has been unreachable for");
        });

        Assert.That(caller.Log.Lines.First(l => l.Contains("has been unreachable", StringComparison.Ordinal)), Does.Contain("certificate"));
    }

    private static (string, string)[] NoSettings() => [];

    private (string, string)[] Calling(int port) =>
        [("Http:Services:server:Address", $"https://127.0.0.1:{port}"), ("Http:Tls:TrustedRoots", PathOf("root.pem"))];

    private Task<TestNode> StartServerAsync(int port, string certificate, params (string, string)[] settings) => TestNode.StartAsync(
        mesh => mesh.AddHttpTransport().AddHandler(Ask, (input, _) => input),
        [
            ("Transport", "Http"), ("DrainTimeout", "00:00:01"), ("ErrorPolicy", "Ignore"), ("Http:Listen", $"https://127.0.0.1:{port}"),
            ("Http:Tls:Certificate", certificate), ("Http:Tls:TrustedRoots", PathOf("root.pem")), .. settings,
        ],
        services => services.AddHealthChecks().AddServiceMesh());

    // A file with a certificate of the root and its key.
    private string Issue(string file, string use, int days = 2)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=localhost", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddIpAddress(IPAddress.Loopback);
        request.CertificateExtensions.Add(names.Build());
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid(use)], false));
        using var issued = request.Create(
            _root, DateTimeOffset.UtcNow.AddDays(-10), DateTimeOffset.UtcNow.AddDays(days), RandomNumberGenerator.GetBytes(12));
        File.WriteAllText(PathOf(file), $"{issued.ExportCertificatePem()}\n{key.ExportPkcs8PrivateKeyPem()}\n");
        return PathOf(file);
    }

    private static string OtherRoot()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=Other root", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        using var other = request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1));
        return other.ExportCertificatePem();
    }

    private string PathOf(string name) => Path.Combine(_folder.FullName, name);
}
