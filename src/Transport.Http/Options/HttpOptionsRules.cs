namespace ServiceMesh.Http;

/// <summary>Checks all options of the HTTP transport: each value, and values that contradict each other.</summary>
internal static class HttpOptionsRules
{
    private const int MinTokenLength = 16;

    /// <exception cref="InvalidOperationException">Something is wrong; all of it is in the message.</exception>
    public static void Check(HttpTransportOptions options)
    {
        var problems = Problems(options, null).ToArray();
        if (problems.Length > 0)
        {
            throw new InvalidOperationException(string.Join(' ', problems));
        }
    }

    /// <summary>A sentence for each thing that is wrong, with its key and the rule; none when the options can work.</summary>
    /// <param name="options">What is checked.</param>
    /// <param name="ofRequest">
    /// How long a request of the bus may take by default; null for HttpClients, which have an option of their own.
    /// </param>
    public static IEnumerable<string> Problems(HttpTransportOptions options, Total? ofRequest) =>
    [
        .. HttpTransportOptions.Schema.OutOfRange(options.KeyOf("").TrimEnd(':'), options),
        .. OfListening(options),
        .. new[] { OptionRules.Readable(options.KeyOf("Dns:Servers"), () => options.Dns.ReadServers()) }.OfType<string>(),
        .. options.Services.SelectMany(s => OfService(options, options.KeyOf($"Services:{s.Key}"), s.Value)),
        .. ResilienceRules.Contradictions(options, ofRequest),
    ];

    private static IEnumerable<string> OfListening(HttpTransportOptions options)
    {
        if (options.Token is { Length: < MinTokenLength })
        {
            yield return $"{options.KeyOf("Token")} has {options.Token.Length} characters; at least {MinTokenLength} are needed, " +
                "since a token that can be guessed protects nothing.";
        }

        // It travels as a header, where other characters are changed, cut off or refused on the way.
        if (options.Token?.Index().FirstOrDefault(c => c.Item is <= ' ' or > '~', (-1, default)) is ( >= 0, var bad))
        {
            yield return $"{options.KeyOf("Token")} has the character U+{(int)bad:X4}; " +
                "visible ASCII characters without blanks are allowed.";
        }

        if (options.Listen is null)
        {
            yield break;
        }

        IReadOnlyList<ListenAddress> addresses = [];
        if (OptionRules.Readable(options.KeyOf("Listen"), () => addresses = ListenAddress.ParseAll(options.Listen)) is { } malformed)
        {
            yield return malformed;
        }

        if (addresses.Any(a => a.IsTls) && string.IsNullOrEmpty(options.Tls.Certificate))
        {
            yield return $"{options.KeyOf("Tls:Certificate")} is missing: " +
                $"{options.KeyOf("Listen")} is '{options.Listen}', and https needs a certificate file.";
        }

        foreach (var open in addresses.Where(a => !a.IsLoopback && !options.AllowUnprotected && (!a.IsTls || options.Token is null)))
        {
            yield return $"{options.KeyOf("Listen")} is '{open}', which other machines can reach: " +
                $"that needs https and {options.KeyOf("Token")}. Listen on 127.0.0.1, " +
                $"or set {options.KeyOf("AllowUnprotected")} to true if it is meant, for instance behind a proxy that does both.";
        }
    }

    private static IEnumerable<string> OfService(HttpTransportOptions options, string key, HttpServiceOptions service)
    {
        if (OptionRules.Readable($"{key}:Address", () => new ResolverKinds(options.Resolvers).Parse(service.Address)) is { } malformed)
        {
            yield return malformed;
        }

        foreach (var (name, address) in service.Endpoints)
        {
            var of = $"{key}:Endpoints:{name}";
            if (!name.All(c => char.IsAsciiLetterOrDigit(c) || c == '-') || name.Length is 0 or > 63)
            {
                yield return $"{of} is not a name for an endpoint: 1 to 63 letters, digits and '-' (ASCII) are allowed.";
            }

            if (OptionRules.Readable(of, () => new ResolverKinds(options.Resolvers).Parse(address)) is { } wrong)
            {
                yield return wrong;
            }
        }

        if (new BalancerKinds(options.Balancers) is var balancers && balancers.Find(service.Balancer) is null)
        {
            yield return OptionRules.OneOf($"{key}:Balancer", service.Balancer, balancers.Names, "Is AddBalancer(…) missing?")!;
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
    }
}
