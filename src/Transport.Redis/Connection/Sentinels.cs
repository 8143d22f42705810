using System.Globalization;
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
    /// <param name="key">The key of the configuration that a message names.</param>
    /// <param name="context">Of the bus.</param>
    /// <param name="cancellationToken">Stops waiting.</param>
    /// <exception cref="TransportException">The Sentinels do not know the service, or none of them answers.</exception>
    public static async Task<ConfigurationOptions> FindMasterAsync(
        ConfigurationOptions settings, string key, TransportContext context, CancellationToken cancellationToken)
    {
        var sentinels = await ConnectAsync(settings, context, cancellationToken).ConfigureAwait(false);
        try
        {
            var master = await AskAsync(sentinels, settings, key, context, cancellationToken).ConfigureAwait(false)
                ?? throw new TransportException(
                    $"The Sentinels at {Names(settings)} know no service '{Printable.Line(settings.ServiceName!)}'. "
                    + $"Fix serviceName. ({key})");
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

    /// <summary>Connects to the Sentinels.</summary>
    public static async Task<ConnectionMultiplexer> ConnectAsync(
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

    /// <summary>The master that the Sentinels name; null when none of those that answer knows the service.</summary>
    /// <exception cref="TransportException">One of them is not a Sentinel.</exception>
    public static async Task<EndPoint?> AskAsync(
        ConnectionMultiplexer sentinels, ConfigurationOptions settings, string key, TransportContext context,
        CancellationToken cancellationToken)
    {
        var answers = await Task.WhenAll(sentinels.GetServers().Where(server => server.IsConnected)
                .Select(server => AskAsync(server, settings.ServiceName!, key)))
            .WaitAsync(TimeSpan.FromMilliseconds(settings.ConnectTimeout), context.Clock, cancellationToken).ConfigureAwait(false);
        // Each failover has an epoch, for which a majority has voted: the latest one counts, also when the others have not heard of it.
        return answers.OfType<Named>().MaxBy(named => named.Epoch)?.Master;
    }

    private static async Task<ConnectionMultiplexer> OpenAsync(
        ConfigurationOptions settings, string? user, string? password, TransportContext context, CancellationToken cancellationToken)
    {
        var asking = settings.Clone();
        (asking.ServiceName, asking.User, asking.Password) = (null, user, password);
        (asking.CommandMap, asking.TieBreaker) = (CommandMap.Sentinel, "");
        var connecting = ConnectionMultiplexer.ConnectAsync(asking, null);
        try
        {
            return await connecting
                .WaitAsync(TimeSpan.FromMilliseconds(2 * settings.ConnectTimeout), context.Clock, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception stopped) when (stopped is TimeoutException or OperationCanceledException)
        {
            Connecting.CloseLate(connecting);
            throw;
        }
    }

    // Null where the service is not known.
    private static async Task<Named?> AskAsync(IServer sentinel, string service, string key)
    {
        try
        {
            var said = (await sentinel.SentinelMasterAsync(service).ConfigureAwait(false)).ToDictionary();
            var host = said.GetValueOrDefault("ip", "");
            host = host.Contains(':', StringComparison.Ordinal) ? $"[{host}]" : host; // IPv6
            return host.Length > 0 && EndPointCollection.TryParse($"{host}:{said.GetValueOrDefault("port")}") is { } master
                ? new(
                    master,
                    long.TryParse(said.GetValueOrDefault("config-epoch"), NumberStyles.None, CultureInfo.InvariantCulture, out var epoch)
                        ? epoch : 0)
                : null;
        }
        catch (RedisServerException refusal) when (refusal.Message.Contains("unknown command", StringComparison.OrdinalIgnoreCase))
        {
            throw new TransportException(
                $"{sentinel.EndPoint} is not a Sentinel. Name the Sentinels with serviceName, or take serviceName out. "
                + $"({key})");
        }
        catch (Exception failure) when (failure is RedisException or TimeoutException)
        {
            return null; // another one may answer
        }
    }

    private static string Names(ConfigurationOptions settings) => string.Join(
        ", ", settings.EndPoints.Select(server => server is DnsEndPoint name ? $"{name.Host}:{name.Port}" : $"{server}"));

    /// <summary>What one Sentinel says.</summary>
    private sealed record Named(EndPoint Master, long Epoch);
}
