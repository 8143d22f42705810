using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Security.Cryptography;

namespace ServiceMesh.Redis;

/// <summary>
/// The keys of <c>Redis:Keys</c>: the first one seals, each of them opens. A key has a name that is derived from it and says nothing about
/// it. Immutable.
/// </summary>
internal sealed class SealKeys
{
    private const int KeyBytes = 32;
    private const int MaxKeys = 2;

    private readonly SealKey[] _keys;

    private SealKeys(SealKey[] keys) => _keys = keys;

    /// <summary>The one that seals.</summary>
    public SealKey Current => _keys[0];

    /// <summary>Null for no keys.</summary>
    /// <param name="keys">As <see cref="Problem"/> found them right.</param>
    public static SealKeys? Of(IReadOnlyList<string>? keys) =>
        keys is null or { Count: 0 } ? null : new([.. keys.Select(key => SealKey.Of(Convert.FromBase64String(key)))]);

    /// <summary>What is wrong with the keys, in a sentence that has no part of them; null for nothing.</summary>
    /// <param name="keys">As they were configured; null for none.</param>
    /// <param name="path">The key of the configuration.</param>
    public static string? Problem(IReadOnlyList<string>? keys, string path)
    {
        const string Remedy = "Write a key of 32 bytes as base64 ('openssl rand -base64 32' makes one).";
        if (keys is null || keys.Count == 0)
        {
            return null;
        }

        if (keys.Count > MaxKeys)
        {
            return $"{path} has {keys.Count} keys; at most {MaxKeys} are used, the one that seals and one more that opens. "
                + "Take the rest out.";
        }

        for (var number = 0; number < keys.Count; number++)
        {
            var bytes = new byte[(keys[number]?.Length ?? 0) + KeyBytes];
            if (!Convert.TryFromBase64String(keys[number] ?? "", bytes, out var length))
            {
                return $"{path}:{number} is not base64. {Remedy}";
            }

            if (length != KeyBytes)
            {
                return string.Create(CultureInfo.InvariantCulture, $"{path}:{number} has {length} bytes. {Remedy}");
            }
        }

        return keys.Count == MaxKeys && Convert.FromBase64String(keys[0]).SequenceEqual(Convert.FromBase64String(keys[1]))
            ? $"{path}:0 and {path}:1 are the same key. Take one of them out."
            : null;
    }

    public bool TryFind(uint name, [NotNullWhen(true)] out SealKey? key)
    {
        key = Array.Find(_keys, candidate => candidate.Name == name);
        return key is not null;
    }
}

/// <summary>One key of the mesh, and the keys that are derived from it with HKDF-SHA256 (RFC 5869).</summary>
internal sealed class SealKey
{
    private readonly byte[] _secret;

    private SealKey(uint name, byte[] secret) => (Name, _secret) = (name, secret);

    public uint Name { get; }

    public static SealKey Of(byte[] secret) => new(
        BinaryPrimitives.ReadUInt32LittleEndian(
            HKDF.DeriveKey(HashAlgorithmName.SHA256, secret, sizeof(uint), info: "servicemesh key name"u8.ToArray())),
        secret);

    /// <summary>The name as it stands in messages.</summary>
    public static string Print(uint name) => name.ToString("x8", CultureInfo.InvariantCulture);

    /// <summary>The cipher of one incarnation: with a key of its own, so that its numbers are nonces that are used once.</summary>
    public AesGcm CipherOf(UInt128 incarnation)
    {
        Span<byte> salt = stackalloc byte[SealFormat.IncarnationBytes];
        BinaryPrimitives.WriteUInt128LittleEndian(salt, incarnation);
        Span<byte> derived = stackalloc byte[_secret.Length];
        HKDF.DeriveKey(HashAlgorithmName.SHA256, _secret, derived, salt, "servicemesh sealed 1"u8);
        var cipher = new AesGcm(derived, SealFormat.TagBytes);
        CryptographicOperations.ZeroMemory(derived);
        return cipher;
    }
}
