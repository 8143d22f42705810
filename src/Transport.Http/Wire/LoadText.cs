using System.Globalization;

namespace ServiceMesh.Http;

/// <summary>A load as the text of a header, with three decimals. Texts up to 1 are kept, because every reply has one.</summary>
internal static class LoadText
{
    private const int Thousand = 1000;

    private static readonly string?[] s_texts = new string?[Thousand + 1];

    public static string Of(double load)
    {
        var thousandths = Math.Round(load * Thousand);
        return thousandths is >= 0 and <= Thousand
            ? s_texts[(int)thousandths] ??= Write(thousandths / Thousand)
            : Write(load);
    }

    private static string Write(double load) => load.ToString("0.###", CultureInfo.InvariantCulture);
}
