using System.Buffers;

namespace ServiceMesh.Http;

/// <summary>Any text as the value of an HTTP header and back: text that is not plain is percent-encoded UTF-8 (RFC 3986, 2.1).</summary>
internal static class HeaderText
{
    private static readonly SearchValues<char> s_plain =
        SearchValues.Create([.. Enumerable.Range('!', '~' - '!' + 1).Select(c => (char)c).Where(c => c != '%')]);

    public static bool IsPlain(string text) => text.Length > 0 && !text.AsSpan().ContainsAnyExcept(s_plain);

    public static string Encode(string text) => IsPlain(text) ? text : Uri.EscapeDataString(text);

    /// <summary>Text that a foreign client did not encode, for instance a lone <c>%</c>, stays unchanged.</summary>
    public static string Decode(string text) => text.Contains('%', StringComparison.Ordinal) ? Uri.UnescapeDataString(text) : text;
}
