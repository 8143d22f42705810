using static ServiceMesh.Samples.Weather.Topics;

namespace ServiceMesh.Samples.Weather;

/// <summary>The composition that the client executes. It contains other compositions, and all have one deadline.</summary>
public static class Extremes
{
    private static readonly Composition<Dictionary<string, Reading[]>, Reading[]> s_january =
        Compose.Lambda((Dictionary<string, Reading[]> months) => months["jan"], "january");

    private static readonly Composition<Dictionary<string, Reading[]>, Reading[]> s_february =
        Compose.Lambda((Dictionary<string, Reading[]> months) => months["feb"], "february");

    /// <summary>A city → the coldest and the warmest reading of January, then of February.</summary>
    public static readonly Composition<string, Reading[][]> OfWinter =
        Fetch | Group | Compose.Parallel(
            s_january | Compose.Parallel(Min, Max),
            s_february | Compose.Parallel(Min, Max));
}
