namespace ServiceMesh.Support;

/// <summary>What code allocates on its thread each time that it runs.</summary>
public static class Allocated
{
    /// <summary>
    /// The least bytes of some runs after a first one. The runtime itself allocates now and then on the thread whose code it
    /// has just compiled anew; what the code itself allocates is in every run.
    /// </summary>
    public static long By(Action run)
    {
        run();
        var least = long.MaxValue;
        for (var i = 0; i < 5; i++)
        {
            var before = GC.GetAllocatedBytesForCurrentThread();
            run();
            least = Math.Min(least, GC.GetAllocatedBytesForCurrentThread() - before);
        }

        return least;
    }
}
