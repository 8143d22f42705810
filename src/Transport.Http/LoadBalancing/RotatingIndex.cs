namespace ServiceMesh.Http;

/// <summary>An index into a circle of endpoints that all threads advance together.</summary>
internal sealed class RotatingIndex(Random random)
{
    private int _index = random.Next();

    /// <summary>The next endpoint that is allowed; null if there is none.</summary>
    public Endpoint? Next(Endpoint[] circle, in PickContext context)
    {
        // Skipping an endpoint advances the index too, so that its neighbour does not receive its share as well.
        uint index = 0;
        for (var i = 0; i < circle.Length; i++)
        {
            index = unchecked((uint)Interlocked.Increment(ref _index)) % (uint)circle.Length;
            if (context.Allows(circle[index]))
            {
                return circle[index];
            }
        }

        // Other threads took the allowed places meanwhile, or there are none.
        for (var i = 0; i < circle.Length; i++)
        {
            var endpoint = circle[(index + i) % circle.Length];
            if (context.Allows(endpoint))
            {
                return endpoint;
            }
        }

        return null;
    }
}
