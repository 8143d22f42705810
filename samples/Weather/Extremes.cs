using static ServiceMesh.Samples.Weather.Topics;

namespace ServiceMesh.Samples.Weather;

/// <summary>What the client executes: compositions within compositions, all under one deadline.</summary>
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
