using System.Buffers;
using System.Text.Json;

namespace ServiceMesh.Redis;

/// <summary>
/// What frames are written into before their size is known: each thread keeps a buffer and a JSON writer. A thread never writes two
/// frames at once, because wires call no code but their own.
/// </summary>
internal static class Scratch
{
    private const int LargestKept = 1 << 20;

    [ThreadStatic]
    private static ArrayBufferWriter<byte>? t_output;

    [ThreadStatic]
    private static Utf8JsonWriter? t_json;

    /// <summary>An empty buffer.</summary>
    public static ArrayBufferWriter<byte> Take()
    {
        var output = t_output ??= new(512);
        output.ResetWrittenCount(); // a writer that failed half-way has not given it back
        return output;
    }

    /// <summary>A writer into it, for bodies that are valid JSON already.</summary>
    public static Utf8JsonWriter JsonInto(ArrayBufferWriter<byte> output)
    {
        if (t_json is not { } json)
        {
            return t_json = new(output, new JsonWriterOptions { SkipValidation = true });
        }

        json.Reset(output);
        return json;
    }

    /// <summary>A copy of what was written, of exactly its size.</summary>
    public static byte[] Return(ArrayBufferWriter<byte> output)
    {
        var frame = output.WrittenSpan.ToArray();
        if (output.Capacity > LargestKept)
        {
            t_output = null;
            t_json = null;
        }

        return frame;
    }
}
