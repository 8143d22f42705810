using System.Buffers.Binary;

namespace ServiceMesh.Links;

/// <summary>
/// The bytes of a stream of frames, taken apart as they arrive. They are read into chunks that are not used again, so the body of a
/// frame is a part of its chunk and needs no copy. It allocates no more than twice what has arrived. Used by one thread at a time.
/// </summary>
/// <param name="maxFrameBytes">The stream ends with a longer frame.</param>
internal sealed class FrameStream(int maxFrameBytes)
{
    private const int ChunkBytes = 32 * 1024;
    private const int LeastRoom = 4 * 1024;
    private const int LengthBytes = sizeof(uint);
    private const int PreambleBytes = 4;

    private readonly TextPool _texts = new();
    private byte[] _chunk = [];
    private int _start;
    private int _end;

    /// <summary>Bytes that belong to a frame that is not complete.</summary>
    public bool IsWithinFrame => _end > _start;

    /// <summary>Where the next bytes of the stream go; then call <see cref="Filled"/>.</summary>
    public Memory<byte> Room()
    {
        var (held, missing) = (_end - _start, Missing());
        if (_chunk.Length - _end < Math.Min(missing, LeastRoom))
        {
            var size = Math.Max(ChunkBytes, held + Math.Min(missing, Math.Max(held, LeastRoom)));
            var next = GC.AllocateUninitializedArray<byte>(size);
            _chunk.AsSpan(_start, held).CopyTo(next);
            (_chunk, _start, _end) = (next, 0, held);
        }

        return _chunk.AsMemory(_end);
    }

    /// <summary>So many bytes have been written into the room.</summary>
    public void Filled(int count) => _end += count;

    /// <summary>Takes what the stream begins with. False while more bytes are needed.</summary>
    public bool TryTakePreamble(out Preamble preamble, out FrameFault fault)
    {
        (preamble, fault) = (default, FrameFault.None);
        var bytes = _chunk.AsSpan(_start, _end - _start);
        if (bytes.Length < PreambleBytes && (bytes.Length == 0 || bytes[0] == WireFormat.Mark))
        {
            return false;
        }

        if (bytes[0] == WireFormat.Mark && bytes.Length < PreambleBytes + bytes[3])
        {
            return false;
        }

        fault = FrameReader.ReadPreamble(bytes, _texts, out preamble);
        _start += fault == FrameFault.None ? preamble.Length : 0;
        return true;
    }

    /// <summary>Takes the next frame: see <see cref="FrameReader.Read"/>. Its body stays valid.</summary>
    public FrameStatus TryTake(out Frame frame, out FrameFault fault)
    {
        var status = FrameReader.Read(
            _chunk.AsMemory(_start, _end - _start), maxFrameBytes, _texts, out frame, out var consumed, out fault);
        _start += consumed;
        return status;
    }

    // How many bytes of the present frame have not arrived; a length that is not allowed ends the stream before it is waited for.
    private int Missing()
    {
        var held = _end - _start;
        return held < LengthBytes
            ? LeastRoom
            : (int)Math.Clamp(
                LengthBytes + (long)BinaryPrimitives.ReadUInt32LittleEndian(_chunk.AsSpan(_start)) - held, 1, LengthBytes + maxFrameBytes);
    }
}
