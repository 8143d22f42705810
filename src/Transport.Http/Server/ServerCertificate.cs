using System.Security.Cryptography.X509Certificates;

namespace ServiceMesh.Http;

/// <summary>The certificate of a server.</summary>
/// <param name="Leaf">The server's own certificate, with its key.</param>
/// <param name="Intermediates">The other certificates in its file. Clients know only the root above them.</param>
internal sealed record ServerCertificate(X509Certificate2 Leaf, X509Certificate2Collection Intermediates);
