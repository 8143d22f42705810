namespace ServiceMesh.Http;

/// <summary>A place in a circle that all threads move on together.</summary>
internal sealed class Turn(Random random)
{
    private int _place = random.Next();

    /// <summary>The next one that is allowed; null when none is.</summary>
    public Endpoint? Next(Endpoint[] circle, in PickContext context)
    {
        // Whoever skips an endpoint moves the turn on, so that its neighbour does not get its share as well.
        uint place = 0;
        for (var i = 0; i < circle.Length; i++)
        {
            place = unchecked((uint)Interlocked.Increment(ref _place)) % (uint)circle.Length;
            if (context.Allows(circle[place]))
            {
                return circle[place];
            }
        }

        // Other threads took the allowed places meanwhile, or there are none.
        for (var i = 0; i < circle.Length; i++)
        {
            var endpoint = circle[(place + i) % circle.Length];
            if (context.Allows(endpoint))
            {
                return endpoint;
            }
        }

        return null;
    }
}
