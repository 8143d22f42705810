namespace ServiceMesh.Http;

/// <summary>Random choices among the endpoints that are allowed.</summary>
internal static class RandomDraw
{
    // While most endpoints are allowed, a few draws nearly always hit one. Counting all of them pays only after that.
    private const int QuickDraws = 4;

    /// <summary>One of the allowed endpoints, each with the same probability; null if none is allowed.</summary>
    public static Endpoint? Uniform(Endpoint[] endpoints, in PickContext context, Random random)
    {
        for (var i = 0; i < QuickDraws; i++)
        {
            var drawn = endpoints[random.Next(endpoints.Length)];
            if (context.Allows(drawn))
            {
                return drawn;
            }
        }

        var allowed = 0;
        foreach (var endpoint in endpoints)
        {
            allowed += context.Allows(endpoint) ? 1 : 0;
        }

        var number = allowed == 0 ? 0 : random.Next(allowed);
        Endpoint? last = null;
        foreach (var endpoint in endpoints)
        {
            if (context.Allows(endpoint))
            {
                last = endpoint;
                if (number-- == 0)
                {
                    break;
                }
            }
        }

        // Endpoints may have changed between counting and choosing: then the last allowed endpoint is taken.
        return last;
    }

    /// <summary>One of the allowed endpoints, with a probability by its effective weight; null if none is allowed.</summary>
    public static Endpoint? Weighted(Endpoint[] endpoints, in PickContext context, Random random)
    {
        var sum = 0.0;
        foreach (var endpoint in endpoints)
        {
            sum += context.Allows(endpoint) ? endpoint.EffectiveWeight : 0;
        }

        var left = random.NextDouble() * sum;
        Endpoint? last = null;
        foreach (var endpoint in endpoints)
        {
            if (context.Allows(endpoint))
            {
                last = endpoint;
                left -= endpoint.EffectiveWeight;
                if (left < 0)
                {
                    break;
                }
            }
        }

        return last;
    }
}
