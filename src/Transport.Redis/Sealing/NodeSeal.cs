using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Security.Cryptography;

namespace ServiceMesh.Redis;

/// <summary>
/// The seal of one bus: its incarnation, the numbers of what it seals, and the ciphers of those whose packets it has opened. A packet is
/// sealed with AES-256-GCM for one name: the channel, or the place in Redis, where it will be found. Thread-safe.
/// </summary>
internal sealed class NodeSeal(SealKeys keys)
{
    /// <summary>The maximum length of a name for which something is sealed.</summary>
    public const int MaxNameBytes = 1024;

    // Beyond this, what has not been heard of for a while is forgotten, and beyond the second number nothing is remembered.
    private const int Many = 1024;
    private const int TooMany = 65_536;

    private readonly ConcurrentDictionary<(uint Key, UInt128 Incarnation), Opener> _openers = new();

    // Of the operating system and not injected: a test that chose it would test another thing.
    private readonly UInt128 _incarnation = BinaryPrimitives.ReadUInt128LittleEndian(
        RandomNumberGenerator.GetBytes(SealFormat.IncarnationBytes));

    private long _number;

    /// <summary>A cipher of this node. Each one is used by one thread at a time.</summary>
    public AesGcm MakeCipher() => keys.Current.CipherOf(_incarnation);

    /// <summary>Seals.</summary>
    /// <param name="cipher">Of <see cref="MakeCipher"/>.</param>
    /// <param name="name">Where the packet will be found; at most <see cref="MaxNameBytes"/>.</param>
    /// <param name="instant">The time of the mesh's clock; 0 for what is kept.</param>
    /// <param name="plain">What to seal.</param>
    /// <param name="to">As long as that and <see cref="SealFormat.Overhead"/>.</param>
    public void Seal(AesGcm cipher, ReadOnlySpan<byte> name, long instant, ReadOnlySpan<byte> plain, Span<byte> to)
    {
        var number = Interlocked.Increment(ref _number);
        SealFormat.WriteHead(to, new(keys.Current.Name, _incarnation, number, instant));
        Span<byte> bound = stackalloc byte[SealFormat.HeadBytes + MaxNameBytes];
        Span<byte> nonce = stackalloc byte[SealFormat.NonceBytes];
        cipher.Encrypt(
            NonceOf(number, nonce), plain, to[SealFormat.Overhead..], to.Slice(SealFormat.HeadBytes, SealFormat.TagBytes),
            Bound(to, name, bound));
    }

    /// <summary>Opens what was sealed for the same name. Whether it is fresh is the caller's to judge, by the head.</summary>
    /// <param name="name">Where the packet was found.</param>
    /// <param name="packet">What was found there.</param>
    /// <param name="head">What the packet says of itself; true only without a fault.</param>
    /// <param name="plain">What was sealed.</param>
    public SealFault Open(ReadOnlySpan<byte> name, ReadOnlySpan<byte> packet, out SealHead head, out byte[] plain)
    {
        plain = [];
        if (!SealFormat.TryReadHead(packet, out head))
        {
            return SealFormat.IsSealed(packet) ? SealFault.Forged : SealFault.NotSealed;
        }

        if (!keys.TryFind(head.Key, out var key))
        {
            return SealFault.UnknownKey;
        }

        if (name.Length > MaxNameBytes)
        {
            return SealFault.Forged;
        }

        var opened = GC.AllocateUninitializedArray<byte>(packet.Length - SealFormat.Overhead);
        var isKnown = _openers.TryGetValue((head.Key, head.Incarnation), out var opener);
        opener ??= new(key.CipherOf(head.Incarnation));
        if (!opener.TryOpen(name, packet, head, opened))
        {
            _ = isKnown ? null : opener.Disposed();
            return SealFault.Forged;
        }

        plain = opened;
        if (!isKnown)
        {
            Remember((head.Key, head.Incarnation), opener);
        }

        return SealFault.None;
    }

    private void Remember((uint, UInt128) sender, Opener opener)
    {
        if (_openers.Count >= Many)
        {
            foreach (var (other, idle) in _openers)
            {
                if (idle.IsIdle())
                {
                    _openers.TryRemove(other, out _);
                }
            }
        }

        if (_openers.Count < TooMany)
        {
            _openers.TryAdd(sender, opener);
        }
    }

    private static ReadOnlySpan<byte> NonceOf(long number, Span<byte> nonce)
    {
        nonce.Clear();
        BinaryPrimitives.WriteInt64LittleEndian(nonce, number);
        return nonce;
    }

    private static ReadOnlySpan<byte> Bound(ReadOnlySpan<byte> packet, ReadOnlySpan<byte> name, Span<byte> bound)
    {
        packet[..SealFormat.HeadBytes].CopyTo(bound);
        name.CopyTo(bound[SealFormat.HeadBytes..]);
        return bound[..(SealFormat.HeadBytes + name.Length)];
    }

    /// <summary>The cipher of a sender. What leaves the table is left to the garbage collector: a thread may still use it.</summary>
    private sealed class Opener(AesGcm cipher)
    {
        private readonly Lock _lock = new();
        private volatile bool _isUsed = true;

        public bool TryOpen(ReadOnlySpan<byte> name, ReadOnlySpan<byte> packet, in SealHead head, Span<byte> to)
        {
            _isUsed = true;
            Span<byte> bound = stackalloc byte[SealFormat.HeadBytes + MaxNameBytes];
            Span<byte> nonce = stackalloc byte[SealFormat.NonceBytes];
            try
            {
                lock (_lock)
                {
                    cipher.Decrypt(
                        NonceOf(head.Number, nonce), packet[SealFormat.Overhead..],
                        packet.Slice(SealFormat.HeadBytes, SealFormat.TagBytes), to, Bound(packet, name, bound));
                }

                return true;
            }
            catch (AuthenticationTagMismatchException)
            {
                return false;
            }
        }

        /// <summary>True when it was not used since the last call.</summary>
        public bool IsIdle()
        {
            var isIdle = !_isUsed;
            _isUsed = false;
            return isIdle;
        }

        public Opener? Disposed()
        {
            cipher.Dispose();
            return null;
        }
    }
}

/// <summary>Why a packet is not what a node of this mesh has sealed for this place and this moment.</summary>
internal enum SealFault
{
    None,

    /// <summary>It is not sealed.</summary>
    NotSealed,

    /// <summary>It is sealed with a key that this node does not have.</summary>
    UnknownKey,

    /// <summary>It was changed, cut, or sealed for another place.</summary>
    Forged,

    /// <summary>It came before, or behind a later one of its sender.</summary>
    Replayed,

    /// <summary>It was sealed too long ago, or by a clock that differs too much.</summary>
    Late,
}
