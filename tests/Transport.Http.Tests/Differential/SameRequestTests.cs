using System.Collections.Concurrent;
using System.Net;
using System.Net.Security;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Logging;
using NUnit.Framework;
using ServiceMesh.Support;

namespace ServiceMesh.Http.Tests;

/// <summary>
/// What a server of HTTP/2 receives from an HttpClient with the mesh is what it receives from a plain one: method,
/// scheme, authority, path, headers and body. The same kinds of request as in <see cref="SameBytesTests"/>.
/// </summary>
[TestFixture(false)]
[TestFixture(true)]
[CancelAfter(30_000)]
public sealed class SameRequestTests(bool isTls) : IAsyncDisposable
{
    private readonly ConcurrentQueue<string> _requests = new();
    private TestCertificates _certificates = null!;
    private WebApplication _server = null!;
    private HttpMessageInvoker _plain = null!;
    private HttpMessageInvoker _mesh = null!;

    private static IEnumerable<string> Kinds => RequestKinds.All.Keys.Where(k => !k.StartsWith("version", StringComparison.Ordinal));

    private string Address => new Uri(_server.Urls.Single()).Authority;

    [OneTimeSetUp]
    public async Task StartAsync()
    {
        _certificates = new();
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseKestrelHttpsConfiguration().ConfigureKestrel(kestrel =>
        {
            kestrel.Limits.MaxRequestHeadersTotalSize = 64 * 1024;
            kestrel.Listen(IPAddress.Loopback, 0, listen =>
            {
                listen.Protocols = HttpProtocols.Http2;
                if (isTls)
                {
                    listen.UseHttps(X509Certificate2.CreateFromPemFile(_certificates.Server, _certificates.ServerKey));
                }
            });
        });
        _server = builder.Build();
        _server.Run(ReceiveAsync);
        await _server.StartAsync();

        var roots = new X509Certificate2Collection();
        roots.ImportFromPemFile(_certificates.Authority);
        var trust = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
        trust.CustomTrustStore.AddRange(roots);
        _plain = new(new SocketsHttpHandler
        {
            UseProxy = false,
            AllowAutoRedirect = false,
            UseCookies = false,
            SslOptions = new SslClientAuthenticationOptions { CertificateChainPolicy = trust },
        });
        _mesh = new(new ServiceMeshHandler(new()
        {
            Tls = { TrustedRoots = _certificates.Authority },
            Services = { ["weather"] = new() { Address = $"static:{Address}", Http2 = !isTls, Tls = isTls } },
        }));
    }

    public async ValueTask DisposeAsync()
    {
        _plain.Dispose();
        _mesh.Dispose();
        await _server.DisposeAsync();
        _certificates.Dispose();
    }

    [TestCaseSource(nameof(Kinds))]
    public async Task A_request_is_that_of_a_plain_client(string kind, CancellationToken cancellationToken)
    {
        var scheme = isTls ? "https" : "http";
        using var request = RequestKinds.All[kind]($"{scheme}://{Address}");
        (request.Version, request.VersionPolicy) = (HttpVersion.Version20, HttpVersionPolicy.RequestVersionExact);
        var expected = await ReceivedAsync(_plain, request, cancellationToken);

        using var sent = RequestKinds.All[kind]($"{scheme}://weather");
        var received = await ReceivedAsync(_mesh, sent, cancellationToken);

        Assert.That(received, Is.EqualTo(expected));
    }

    private async Task<string> ReceivedAsync(HttpMessageInvoker client, HttpRequestMessage request, CancellationToken cancellationToken)
    {
        string end;
        try
        {
            using var response = await client.SendAsync(request, cancellationToken);
            end = response.StatusCode.ToString();
        }
        catch (HttpRequestException)
        {
            end = nameof(HttpRequestException); // the texts differ
        }

        var seen = new StringBuilder();
        while (_requests.TryDequeue(out var one))
        {
            seen.AppendLine(one);
        }

        return $"{seen}--- {end}";
    }

    private async Task ReceiveAsync(HttpContext context)
    {
        var request = context.Request;
        var target = context.Features.Get<IHttpRequestFeature>()!.RawTarget;
        var seen = new StringBuilder($"{request.Protocol} {request.Method} {request.Scheme} {request.Host} {target}\n");
        foreach (var (name, values) in request.Headers)
        {
            foreach (var value in values)
            {
                seen.Append($"{name}: {value}\n");
            }
        }

        using var reader = new StreamReader(request.Body, Encoding.Latin1);
        seen.Append(await reader.ReadToEndAsync(context.RequestAborted));
        _requests.Enqueue(seen.ToString());
    }
}
