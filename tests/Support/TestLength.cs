namespace ServiceMesh.Support;

/// <summary>
/// How long tests run that show more the longer they run. <c>./test.sh --long</c> sets the environment variable
/// <c>SERVICEMESH_LONG_TESTS</c>; without it each of them ends within some seconds.
/// </summary>
public static class TestLength
{
    public static bool IsLong { get; } = Environment.GetEnvironmentVariable("SERVICEMESH_LONG_TESTS") is "1";

    /// <summary>One of two numbers of rounds, requests or subscriptions.</summary>
    public static int Of(int usual, int whenLong) => IsLong ? whenLong : usual;
}
