namespace ServiceMesh.Http;

/// <summary>Drawing among those endpoints that are allowed, each with the chance that it should have.</summary>
internal static class Draw
{
    // With most endpoints allowed a few draws nearly always hit one; only then it pays to look at all.
    private const int QuickDraws = 4;

    /// <summary>One of those that are allowed, each with the same chance; null when none is.</summary>
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

        // Endpoints may have changed between counting and walking: then the last allowed one does.
        return last;
    }

    /// <summary>One of those that are allowed, each by its effective weight; null when none is.</summary>
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
