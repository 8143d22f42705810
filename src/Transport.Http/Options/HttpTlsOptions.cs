using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Microsoft.Extensions.Logging;

namespace ServiceMesh.Http;

/// <summary>
/// <c>ServiceMesh:Http:Tls</c>: certificates, as files. They are read again when they change, within a second of the next handshake.
/// </summary>
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

    /// <summary>
    /// Whether an <c>https</c> listener of the transport demands a certificate of its callers, which must come from
    /// <see cref="TrustedRoots"/>, or from the system's where that is not set. Default: false.
    /// </summary>
    public bool RequireClientCertificate { get; set; }

    /// <summary>
    /// The certificate that this node shows to servers that ask for one: PEM, or PKCS#12 (<c>.pfx</c>, <c>.p12</c>) with its key.
    /// Default: none.
    /// </summary>
    public string? ClientCertificate { get; set; }

    /// <summary>The key of a PEM client certificate. Default: in the same file.</summary>
    public string? ClientCertificateKey { get; set; }

    /// <summary>The password of the key or of the PKCS#12 file of the client certificate. Default: none.</summary>
    public string? ClientCertificatePassword { get; set; }

    /// <summary>PEM certificates that are trusted when calling others, in place of the system's. Default: the system's.</summary>
    public string? TrustedRoots { get; set; }

    /// <summary>The path of a key below the section that these options were read from, for messages.</summary>
    internal Func<string, string> KeyOf { get; set; } = key => $"ServiceMesh:Http:Tls:{key}";

    /// <summary>The certificate of an <c>https</c> listener.</summary>
    /// <exception cref="InvalidOperationException">It cannot be read, or is not for this use; the message names the key.</exception>
    internal ReloadedFile<OwnCertificate> OpenCertificate(TimeProvider clock, ILogger? logger) => new(
        () => Read("Certificate", Certificate, path => OwnCertificate.Read(path, CertificateKey, CertificatePassword, isOfServer: true)),
        [Certificate, CertificateKey], clock, logger);

    /// <summary>What a client trusts and shows.</summary>
    /// <exception cref="InvalidOperationException">A file cannot be read, or is not for this use; the message names the key.</exception>
    internal ClientTls OpenClient(TimeProvider clock, ILogger? logger) => new(
        TrustedRoots is null ? null : new(() => Read("TrustedRoots", TrustedRoots, ReadRoots), [TrustedRoots], clock, logger),
        ClientCertificate is null ? null : new(
            () => Read("ClientCertificate", ClientCertificate, path =>
                OwnCertificate.Read(path, ClientCertificateKey, ClientCertificatePassword, isOfServer: false)),
            [ClientCertificate, ClientCertificateKey], clock, logger));

    private static X509ChainPolicy ReadRoots(string path)
    {
        var roots = new X509Certificate2Collection();
        roots.ImportFromPemFile(path);
        return roots.Count > 0
            ? ClientTls.PolicyOf(roots)
            : throw new CryptographicException("It has no certificate.");
    }

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
            throw new InvalidOperationException($"{KeyOf(key)} is '{path}' and cannot be used: {failure.Message}", failure);
        }
    }
}
