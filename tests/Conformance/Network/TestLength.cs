namespace ServiceMesh.Conformance;

/// <summary>
/// The length of tests that find more the longer they run: usual, or long where the environment variable <c>SERVICEMESH_LONG_TESTS</c> is
/// 1. Without it each of them ends within some seconds.
/// </summary>
internal static class TestLength
{
    private static readonly bool s_isLong = Environment.GetEnvironmentVariable("SERVICEMESH_LONG_TESTS") is "1";

    public static int Of(int usual, int whenLong) => s_isLong ? whenLong : usual;
}
