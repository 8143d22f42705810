namespace ServiceMesh.Benchmarks;

/// <summary>The same on two threads at once; each does so much that starting one does not count.</summary>
internal static class Pair
{
    public static void Run(Action action)
    {
        var other = new Thread(() => action());
        other.Start();
        action();
        other.Join();
    }
}
