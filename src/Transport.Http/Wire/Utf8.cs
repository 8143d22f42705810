namespace ServiceMesh.Http;

/// <summary>UTF-8 as editors and other programs write it.</summary>
internal static class Utf8
{
    /// <summary>The bytes that some programs write before a text. JSON may be read without them (RFC 8259, 8.1).</summary>
    public static ReadOnlySpan<byte> ByteOrderMark => [0xEF, 0xBB, 0xBF];
}
