namespace ServiceMesh.Http;

/// <summary>Checks the section at start: each complaint names the key, what it is, and what is allowed.</summary>
internal static class HttpOptionsCheck
{
    private const string Section = "ServiceMesh:Http";
    private const int ShortestToken = 16;

    /// <param name="options">What is checked.</param>
    /// <param name="resolvers">Those that addresses may name.</param>
    /// <param name="balancers">Those that services may name.</param>
    /// <param name="ofRequest">How long a request of the bus may take by default; null for HttpClients, which have a setting of their own.</param>
    /// <exception cref="InvalidOperationException">Something is wrong; all of it is in the message.</exception>
    public static void Check(HttpTransportOptions options, ResolverKinds resolvers, BalancerKinds balancers, TimeSpan? ofRequest = null)
    {
        string[] complaints =
        [
            .. Listening(options),
            .. Reading($"{Section}:Dns:Servers", () => options.Dns.ReadServers()),
            .. options.Services.SelectMany(s => OfService($"{Section}:Services:{s.Key}", s.Value, resolvers, balancers)),
            .. SettingRules.Time($"{Section}:Health:Interval", options.Health.Interval, SettingRules.Minute, TimeSpan.FromMilliseconds(100)),
            .. SettingRules.Time($"{Section}:Health:Timeout", options.Health.Timeout, SettingRules.Minute, TimeSpan.FromMilliseconds(10)),
            .. ResilienceCheck.Complaints(Section, options, ofRequest is { } time ? new("ServiceMesh:Request:Timeout", time) : null),
        ];
        if (complaints.Length > 0)
        {
            throw new InvalidOperationException(string.Join(' ', complaints));
        }
    }

    private static IEnumerable<string> Listening(HttpTransportOptions options)
    {
        if (options.Token is { Length: < ShortestToken })
        {
            yield return $"{Section}:Token has {options.Token.Length} characters; at least {ShortestToken} are wanted, since whoever guesses it may call everything.";
        }

        if (options.Listen is null)
        {
            yield break;
        }

        IReadOnlyList<ListenAddress> addresses = [];
        foreach (var malformed in Reading($"{Section}:Listen", () => addresses = ListenAddress.ParseAll(options.Listen)))
        {
            yield return malformed;
        }

        if (addresses.Any(a => a.IsTls) && string.IsNullOrEmpty(options.Tls.Certificate))
        {
            yield return $"{Section}:Tls:Certificate is missing: {Section}:Listen is '{options.Listen}', and https needs a certificate file.";
        }

        foreach (var open in addresses.Where(a => !a.IsLoopback && !options.AllowUnprotected && (!a.IsTls || options.Token is null)))
        {
            yield return $"{Section}:Listen is '{open}', which others can reach: that needs https and {Section}:Token. " +
                $"Listen on 127.0.0.1, or set {Section}:AllowUnprotected to true if it is meant, for instance behind a proxy that does both.";
        }
    }

    private static IEnumerable<string> OfService(string key, HttpServiceOptions service, ResolverKinds resolvers, BalancerKinds balancers)
    {
        foreach (var malformed in Reading($"{key}:Address", () => resolvers.Parse(service.Address)))
        {
            yield return malformed;
        }

        if (balancers.Find(service.Balancer) is null)
        {
            yield return $"{key}:Balancer is '{service.Balancer}'; allowed are: {string.Join(", ", BalancerKind.BuiltIn.Select(b => b.Name))}, and what the application adds.";
        }

        foreach (var (topic, path) in service.Topics)
        {
            if (!Topic.TryParse(topic, out _))
            {
                yield return $"{key}:Topics:{topic} is not a topic: segments of letters, digits, '-' and '_' joined by '.' are allowed.";
            }

            if (path is { Length: > 0 } && path[0] != '/')
            {
                yield return $"{key}:Topics:{topic} is '{path}'; a path begins with '/'.";
            }
        }

        if (service.HealthPath is { } health && !health.StartsWith('/'))
        {
            yield return $"{key}:HealthPath is '{health}'; a path begins with '/'.";
        }

        if (service.HealthPath is not null && !(service.Foreign ?? service.Topics.Count > 0))
        {
            yield return $"{key}:HealthPath is for servers that are not nodes, which state their {key}:Topics or have {key}:Foreign; a node is asked who it is.";
        }

        if (service.Foreign is false && service.Topics.Count > 0)
        {
            yield return $"{key}:Foreign is false, and {key}:Topics are stated, which is for servers that are not nodes: leave one of them out.";
        }
    }

    private static IEnumerable<string> Reading(string key, Action read)
    {
        try
        {
            read();
            return [];
        }
        catch (FormatException failure)
        {
            return [$"{key}: {failure.Message}"];
        }
    }
}
