using System.Net.Security;
using System.Security.Cryptography.X509Certificates;

namespace ServiceMesh.Http;

/// <summary>What the server of the transport shows in TLS handshakes, and what it demands of callers.</summary>
/// <param name="certificate">The certificate of the server.</param>
/// <param name="demandsCertificate">Whether callers must show a certificate.</param>
/// <param name="callers">What certificates of callers must come from.</param>
internal sealed class ServerTls(ReloadedFile<OwnCertificate> certificate, bool demandsCertificate, ClientTls callers)
{
    /// <summary>The options of one handshake.</summary>
    public SslServerAuthenticationOptions ToHandshake() => new()
    {
        ServerCertificateContext = certificate.Current.Context,
        ClientCertificateRequired = demandsCertificate,
        CertificateChainPolicy = demandsCertificate ? callers.Trust : null,
        CertificateRevocationCheckMode = X509RevocationMode.NoCheck,
    };
}
