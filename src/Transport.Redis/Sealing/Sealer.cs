using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Security.Cryptography;

namespace ServiceMesh.Redis;

/// <summary>
/// Seals what leaves on one way: to one inbox, as signals, as notices. Packets leave in the order of their numbers. Thread-safe.
/// </summary>
/// <param name="seal">Of this node.</param>
/// <param name="now">The mesh's clock in milliseconds; 0 for what is kept and has no time.</param>
[SuppressMessage("Design", "CA1001", Justification = "A cipher is a handle; that of a link is left to its finalizer.")]
internal sealed class Sealer(NodeSeal seal, Func<long> now)
{
    private readonly Lock _lock = new();
    private readonly AesGcm _cipher = seal.MakeCipher();

    /// <summary>Seals, and publishes.</summary>
    /// <param name="channel">The name of the channel.</param>
    /// <param name="plain">What to publish.</param>
    /// <param name="state">What <paramref name="publish"/> is given.</param>
    /// <param name="publish">
    /// Only puts the packet in line. Runs under a lock, because receivers refuse a packet whose number is not above the last one.
    /// </param>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public async ValueTask<long> PublishAsync<T>(
        byte[] channel, ReadOnlyMemory<byte> plain, T state, Func<T, ReadOnlyMemory<byte>, Task<long>> publish)
    {
        var length = plain.Length + SealFormat.Overhead;
        var buffer = ArrayPool<byte>.Shared.Rent(length);
        Task<long> publishing;
        lock (_lock)
        {
            seal.Seal(_cipher, channel, now(), plain.Span, buffer.AsSpan(0, length));
            publishing = publish(state, buffer.AsMemory(0, length));
        }

        // One that fails may still be read by the client: its buffer is left to the garbage collector.
        var receivers = await publishing.ConfigureAwait(false);
        ArrayPool<byte>.Shared.Return(buffer);
        return receivers;
    }

    /// <summary>Seals what will lie in Redis.</summary>
    /// <param name="place">Where it will lie.</param>
    /// <param name="plain">What.</param>
    public byte[] Seal(byte[] place, ReadOnlySpan<byte> plain)
    {
        var packet = GC.AllocateUninitializedArray<byte>(plain.Length + SealFormat.Overhead);
        lock (_lock)
        {
            seal.Seal(_cipher, place, now(), plain, packet);
        }

        return packet;
    }
}
