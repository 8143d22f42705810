namespace ServiceMesh.Support;

/// <summary>
/// The length of tests that find more the longer they run. <c>./test.sh --long</c> sets the environment variable
/// <c>SERVICEMESH_LONG_TESTS</c>; without it each of them ends within some seconds.
/// </summary>
public static class TestLength
{
    public static bool IsLong { get; } = Environment.GetEnvironmentVariable("SERVICEMESH_LONG_TESTS") is "1";

    /// <summary>The number of rounds, requests or subscriptions of a test: the usual number, or that of a long run.</summary>
    public static int Of(int usual, int whenLong) => IsLong ? whenLong : usual;
}
