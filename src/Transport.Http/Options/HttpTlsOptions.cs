using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace ServiceMesh.Http;

/// <summary><c>ServiceMesh:Http:Tls</c>: certificates, as files.</summary>
public sealed class HttpTlsOptions
{
    /// <summary>
    /// The certificate that an <c>https</c> listener shows: PEM, or PKCS#12 (<c>.pfx</c>, <c>.p12</c>) with its key. Intermediate
    /// certificates in the file are sent with it. Default: none.
    /// </summary>
    public string? Certificate { get; set; }

    /// <summary>The key of a PEM certificate. Default: in the same file.</summary>
    public string? CertificateKey { get; set; }

    /// <summary>The password of the key or of the PKCS#12 file. Default: none.</summary>
    public string? CertificatePassword { get; set; }

    /// <summary>PEM certificates that are trusted when calling others, in place of the system's. Default: the system's.</summary>
    public string? TrustedRoots { get; set; }

    /// <summary>The path of a key below the section that these options were read from, for messages.</summary>
    internal Func<string, string> KeyOf { get; set; } = key => $"ServiceMesh:Http:Tls:{key}";

    internal ServerCertificate LoadCertificate() => Read("Certificate", Certificate, path =>
    {
        if (Path.GetExtension(path).ToLowerInvariant() is ".pfx" or ".p12")
        {
            var all = X509CertificateLoader.LoadPkcs12CollectionFromFile(path, CertificatePassword);
            var own = all.FirstOrDefault(c => c.HasPrivateKey)
                ?? throw new CryptographicException("There is no certificate with a private key in it.");
            return new ServerCertificate(own, [.. all.Where(c => !ReferenceEquals(c, own))]);
        }

        var leaf = CertificatePassword is null
            ? X509Certificate2.CreateFromPemFile(path, CertificateKey)
            : X509Certificate2.CreateFromEncryptedPemFile(path, CertificatePassword, CertificateKey);
        var chain = new X509Certificate2Collection();
        chain.ImportFromPemFile(path);
        return new(leaf, [.. chain.Where(c => c.Thumbprint != leaf.Thumbprint)]);
    });

    internal X509Certificate2Collection? LoadTrustedRoots() => TrustedRoots is null ? null : Read("TrustedRoots", TrustedRoots, path =>
    {
        var roots = new X509Certificate2Collection();
        roots.ImportFromPemFile(path);
        return roots.Count > 0 ? roots : throw new CryptographicException("There is no certificate in it.");
    });

    private T Read<T>(string key, string? path, Func<string, T> read)
    {
        if (string.IsNullOrEmpty(path))
        {
            throw new InvalidOperationException($"{KeyOf(key)} is missing: listening on https:// needs a certificate file.");
        }

        try
        {
            return read(path);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException or CryptographicException)
        {
            throw new InvalidOperationException($"{KeyOf(key)} is '{path}' and cannot be read: {failure.Message}", failure);
        }
    }
}
