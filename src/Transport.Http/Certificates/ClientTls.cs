using System.Security.Cryptography.X509Certificates;

namespace ServiceMesh.Http;

/// <summary>What a client trusts and shows in TLS handshakes, read again when the files change. Thread-safe.</summary>
/// <param name="roots">The certificates that are trusted in place of the system's; null for the system's.</param>
/// <param name="certificate">The certificate that it shows to servers that ask for one; null for none.</param>
internal sealed class ClientTls(ReloadedFile<X509ChainPolicy>? roots, ReloadedFile<OwnCertificate>? certificate)
{
    /// <summary>The system's trust, and no certificate.</summary>
    public static readonly ClientTls Usual = new(null, null);

    /// <summary>What is trusted in place of the system's certificates; null for the system's.</summary>
    public X509ChainPolicy? Trust => roots?.Current;

    /// <summary>The certificate of the client; null for none.</summary>
    public OwnCertificate? Certificate => certificate?.Current;

    /// <summary>A policy that trusts these certificates only.</summary>
    public static X509ChainPolicy PolicyOf(X509Certificate2Collection roots)
    {
        var trust = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
        trust.CustomTrustStore.AddRange(roots);
        return trust;
    }
}
