using System.Globalization;
using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace ServiceMesh.Http;

/// <summary>A certificate with which this node shows who it is, as a server or as a client.</summary>
internal sealed class OwnCertificate
{
    private const string ServerUse = "1.3.6.1.5.5.7.3.1";
    private const string ClientUse = "1.3.6.1.5.5.7.3.2";

    private readonly X509Certificate2 _leaf;

    private OwnCertificate(string path, X509Certificate2 leaf, X509Certificate2Collection intermediates)
    {
        (Path, _leaf) = (path, leaf);

        // The other certificates in the file are sent with it: the other end knows only the root above them.
        Context = SslStreamCertificateContext.Create(leaf, intermediates, offline: true);
    }

    /// <summary>The file that it was read from.</summary>
    public string Path { get; }

    /// <summary>The certificate with its chain, for handshakes.</summary>
    public SslStreamCertificateContext Context { get; }

    /// <summary>Reads PEM, or PKCS#12 by its ending.</summary>
    /// <param name="path">The file.</param>
    /// <param name="keyPath">The file of the key of a PEM certificate; null for the same file.</param>
    /// <param name="password">The password of the key; null for none.</param>
    /// <param name="isOfServer">Whether it is shown as a server.</param>
    /// <exception cref="CryptographicException">It cannot be read, or is not for this use.</exception>
    public static OwnCertificate Read(string path, string? keyPath, string? password, bool isOfServer)
    {
        var read = System.IO.Path.GetExtension(path).ToLowerInvariant() is ".pfx" or ".p12"
            ? ReadPkcs12(path, password)
            : ReadPem(path, keyPath, password);
        var uses = read._leaf.Extensions.OfType<X509EnhancedKeyUsageExtension>().FirstOrDefault()?.EnhancedKeyUsages;
        var needed = isOfServer ? ServerUse : ClientUse;
        return uses is null || uses.Cast<Oid>().Any(use => use.Value == needed)
            ? read
            : throw new CryptographicException(
                $"The certificate is not for TLS {(isOfServer ? "servers" : "clients")}: its extended key usage lacks {needed}. " +
                "Use a certificate that was issued for it.");
    }

    /// <summary>Why the other end will refuse it now: it has expired, or is not valid yet; null while it is valid.</summary>
    public string? Trouble(DateTimeOffset now) =>
        now > _leaf.NotAfter ? string.Create(CultureInfo.InvariantCulture, $"the certificate {Path} expired on {_leaf.NotAfter:u}")
        : now < _leaf.NotBefore
            ? string.Create(CultureInfo.InvariantCulture, $"the certificate {Path} is valid from {_leaf.NotBefore:u} on")
        : null;

    private static OwnCertificate ReadPkcs12(string path, string? password)
    {
        var all = X509CertificateLoader.LoadPkcs12CollectionFromFile(path, password);
        var own = all.FirstOrDefault(c => c.HasPrivateKey)
            ?? throw new CryptographicException("It has no certificate with a private key.");
        return new(path, own, [.. all.Where(c => !ReferenceEquals(c, own))]);
    }

    private static OwnCertificate ReadPem(string path, string? keyPath, string? password)
    {
        var leaf = password is null
            ? X509Certificate2.CreateFromPemFile(path, keyPath)
            : X509Certificate2.CreateFromEncryptedPemFile(path, password, keyPath);
        var chain = new X509Certificate2Collection();
        chain.ImportFromPemFile(path);
        return new(path, leaf, [.. chain.Where(c => c.Thumbprint != leaf.Thumbprint)]);
    }
}
