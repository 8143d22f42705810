using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Microsoft.Extensions.DependencyInjection;
using NUnit.Framework;
using ServiceMesh.Conformance;
using ServiceMesh.Support;

namespace ServiceMesh.Http.Tests;

/// <summary>A node whose certificate was issued by an intermediate authority, as those of all public authorities are.</summary>
public sealed class CertificateChainTests
{
    private DirectoryInfo _folder = null!;
    private X509Certificate2 _root = null!;
    private X509Certificate2 _intermediate = null!;
    private X509Certificate2 _leaf = null!;

    [OneTimeSetUp]
    public void Issue()
    {
        _folder = Directory.CreateTempSubdirectory("servicemesh-chain-");
        _root = Issue("CN=Root", null, isAuthority: true);
        _intermediate = Issue("CN=Intermediate", _root, isAuthority: true);
        _leaf = Issue("CN=localhost", _intermediate, isAuthority: false);
    }

    [OneTimeTearDown]
    public void Delete()
    {
        _root.Dispose();
        _intermediate.Dispose();
        _leaf.Dispose();
        _folder.Delete(recursive: true);
    }

    [TestCase("pem")]
    [TestCase("pfx")]
    public async Task A_node_sends_the_intermediates_of_its_file(string format)
    {
        var path = Path.Combine(_folder.FullName, $"server.{format}");
        if (format == "pem")
        {
            using var key = _leaf.GetECDsaPrivateKey()!;
            await File.WriteAllTextAsync(
                path,
                $"{_leaf.ExportCertificatePem()}\n{_intermediate.ExportCertificatePem()}\n{key.ExportPkcs8PrivateKeyPem()}\n");
        }
        else
        {
            using var issuer = X509CertificateLoader.LoadCertificate(_intermediate.RawData); // without its key
            await File.WriteAllBytesAsync(path, new X509Certificate2Collection { issuer, _leaf }.Export(X509ContentType.Pkcs12)!);
        }

        var port = FreePort.Next();
        await using var node = await HttpNodes.StartAsync(
            mesh => mesh.AddHandler(MeshTopics.Errors, (_, _) => { }),
            ("Http:Listen", $"https://127.0.0.1:{port}"), ("Http:Tls:Certificate", path));

        Assert.That(await SentAsync(port), Is.EqualTo(["CN=localhost", "CN=Intermediate"]));
    }

    // What a client that knows only the root receives.
    private async Task<IReadOnlyList<string>> SentAsync(int port)
    {
        using var socket = new TcpClient();
        await socket.ConnectAsync(IPAddress.Loopback, port).InTime();
        var trust = new X509ChainPolicy
        {
            TrustMode = X509ChainTrustMode.CustomRootTrust,
            RevocationMode = X509RevocationMode.NoCheck,
            DisableCertificateDownloads = true,
        };
        trust.CustomTrustStore.Add(_root);
        List<string> sent = [];
        await using var stream = new SslStream(socket.GetStream());
        await stream.AuthenticateAsClientAsync(new SslClientAuthenticationOptions
        {
            TargetHost = "localhost",
            CertificateChainPolicy = trust,
            RemoteCertificateValidationCallback = (_, _, chain, errors) =>
            {
                sent = [.. chain!.ChainElements.Select(e => e.Certificate.Subject).Where(s => s != _root.Subject)];
                return errors == SslPolicyErrors.None;
            },
        }).InTime();
        return sent;
    }

    private static X509Certificate2 Issue(string name, X509Certificate2? issuer, bool isAuthority)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest(name, key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(isAuthority, false, 0, true));
        if (!isAuthority)
        {
            var names = new SubjectAlternativeNameBuilder();
            names.AddDnsName("localhost");
            request.CertificateExtensions.Add(names.Build());
            request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid("1.3.6.1.5.5.7.3.1")], false));
        }

        var from = DateTimeOffset.UtcNow.AddHours(-1);
        if (issuer is null)
        {
            return request.CreateSelfSigned(from, from.AddDays(2));
        }

        using var issued = request.Create(issuer, from.AddMinutes(1), from.AddDays(1), RandomNumberGenerator.GetBytes(12));
        return issued.CopyWithPrivateKey(key);
    }
}
