using StackExchange.Redis;
using DnsEndPoint = System.Net.DnsEndPoint;
using EndPoint = System.Net.EndPoint;

namespace ServiceMesh.Redis;

/// <summary>
/// Asks the Sentinels for the master that they have agreed on, anew for each connection. So a connection that is replaced during a
/// failover goes to the new master as soon as the Sentinels know it.
/// </summary>
internal static class Sentinels
{
    /// <summary>The settings of a client for the master.</summary>
    /// <param name="settings">Those of the application, with the Sentinels as the servers and the name of the service.</param>
    /// <param name="context">Says which key a message names.</param>
    /// <param name="cancellationToken">Stops waiting.</param>
    /// <exception cref="TransportException">The Sentinels do not know the service, or none of them answers.</exception>
    public static async Task<ConfigurationOptions> FindMasterAsync(
        ConfigurationOptions settings, TransportContext context, CancellationToken cancellationToken)
    {
        var sentinels = await ConnectAsync(settings, context, cancellationToken).ConfigureAwait(false);
        try
        {
            var limit = TimeSpan.FromMilliseconds(settings.ConnectTimeout);
            var answers = await Task.WhenAll(sentinels.GetServers().Where(server => server.IsConnected)
                    .Select(server => AskAsync(server, settings.ServiceName!, context)))
                .WaitAsync(limit, context.Clock, cancellationToken).ConfigureAwait(false);
            // When they do not agree, the one that most of them name.
            var master = answers.OfType<EndPoint>().GroupBy(endpoint => endpoint).MaxBy(same => same.Count())?.Key
                ?? throw new TransportException(
                    $"The Sentinels at {Names(settings)} know no service '{Printable.Line(settings.ServiceName!)}'. "
                    + $"Fix serviceName. ({context.KeyOf("Redis:Configuration")})");
            var found = settings.Clone();
            found.ServiceName = null;
            found.EndPoints.Clear();
            found.EndPoints.Add(master);
            return found;
        }
        finally
        {
            await sentinels.DisposeAsync().ConfigureAwait(false);
        }
    }

    private static async Task<ConnectionMultiplexer> ConnectAsync(
        ConfigurationOptions settings, TransportContext context, CancellationToken cancellationToken)
    {
        try
        {
            return await OpenAsync(settings, settings.User, settings.Password, context, cancellationToken).ConfigureAwait(false);
        }
        catch (RedisConnectionException) when (settings.Password is { Length: > 0 })
        {
            // Sentinels often have no password where their servers have one.
            return await OpenAsync(settings, null, null, context, cancellationToken).ConfigureAwait(false);
        }
    }

    private static Task<ConnectionMultiplexer> OpenAsync(
        ConfigurationOptions settings, string? user, string? password, TransportContext context, CancellationToken cancellationToken)
    {
        var asking = settings.Clone();
        (asking.ServiceName, asking.User, asking.Password) = (null, user, password);
        (asking.CommandMap, asking.TieBreaker) = (CommandMap.Sentinel, "");
        return ConnectionMultiplexer.ConnectAsync(asking, null)
            .WaitAsync(TimeSpan.FromMilliseconds(2 * settings.ConnectTimeout), context.Clock, cancellationToken);
    }

    // Null where the service is not known.
    private static async Task<EndPoint?> AskAsync(IServer sentinel, string service, TransportContext context)
    {
        try
        {
            return await sentinel.SentinelGetMasterAddressByNameAsync(service).ConfigureAwait(false);
        }
        catch (RedisServerException refusal) when (refusal.Message.Contains("unknown command", StringComparison.OrdinalIgnoreCase))
        {
            throw new TransportException(
                $"{sentinel.EndPoint} is not a Sentinel. Name the Sentinels with serviceName, or take serviceName out. "
                + $"({context.KeyOf("Redis:Configuration")})");
        }
        catch (Exception failure) when (failure is RedisException or TimeoutException)
        {
            return null; // another one may answer
        }
    }

    private static string Names(ConfigurationOptions settings) => string.Join(
        ", ", settings.EndPoints.Select(server => server is DnsEndPoint name ? $"{name.Host}:{name.Port}" : $"{server}"));
}
