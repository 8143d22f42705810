using StackExchange.Redis;

namespace ServiceMesh.Redis;

/// <summary>Gets a connection, the bus's own or the application's, in a bounded time, and says why when it cannot.</summary>
internal static class Connecting
{
    // A connection that is dead without having been closed is noticed after so many seconds, unless the user says otherwise.
    private const int KeepAliveSeconds = 10;

    // No command is waited for longer than this, unless the user says otherwise.
    private const int CommandMilliseconds = 3_000;

    private static readonly Version s_oldest = new(6, 2);
    private static readonly Version s_shardedChannels = new(7, 0);

    /// <exception cref="TransportException">Redis cannot be reached or refuses; the message says which.</exception>
    public static async Task<IConnectionMultiplexer> OpenAsync(
        RedisTransportOptions options, TransportContext context, CancellationToken cancellationToken) =>
        options.Connect is null
            ? await OpenOwnAsync(options, context, cancellationToken).ConfigureAwait(false)
            : await TakeHandedInAsync(options, context, cancellationToken).ConfigureAwait(false);

    /// <summary>True when the servers are Sentinels, which are asked for the master.</summary>
    public static bool IsSentinel(RedisTransportOptions options) =>
        options.Connect is null && ConfigurationOptions.Parse(options.Configuration).ServiceName is { Length: > 0 };

    /// <summary>The settings of the bus's own client, as the application has configured them.</summary>
    /// <exception cref="NotSupportedException">They separate meshes by halves.</exception>
    public static ConfigurationOptions SettingsOf(RedisTransportOptions options, TransportContext context)
    {
        var configuration = ConfigurationOptions.Parse(options.Configuration);
        configuration.AbortOnConnectFail = true;
        // With several servers the client waits as long for the one that is silent, and again for those that it learns of: that must not
        // use up the time in which the others can be had.
        var attempts = configuration.EndPoints.Count > 1 || IsSentinel(options) ? 3 : 1;
        configuration.ConnectTimeout = (int)Math.Min(options.ConnectTimeout.TotalMilliseconds / attempts, int.MaxValue);
        configuration.ClientName ??= context.NodeId;
        if (!options.Configuration.Contains("keepAlive", StringComparison.OrdinalIgnoreCase))
        {
            configuration.KeepAlive = KeepAliveSeconds;
        }

        if (!options.Configuration.Contains("asyncTimeout", StringComparison.OrdinalIgnoreCase))
        {
            configuration.AsyncTimeout = CommandMilliseconds;
        }

        // A command that waits in a queue for a connection is sent late, or twice when its caller tries again.
        configuration.BacklogPolicy = BacklogPolicy.FailFast;
        options.ConfigureClient?.Invoke(configuration);
        RefuseHalfSeparated(configuration, options, "RedisTransportOptions.ConfigureClient", context);
        return configuration;
    }

    /// <summary>Refuses at start what could not work later, and says what the servers are.</summary>
    /// <param name="multiplexer">Connected.</param>
    /// <param name="options">Those of the transport.</param>
    /// <param name="context">Of the bus.</param>
    /// <param name="isFirst">True at start; false in a gap.</param>
    /// <param name="cancellationToken">Stops waiting.</param>
    /// <exception cref="NotSupportedException">These servers cannot carry a mesh, and trying again does not help.</exception>
    public static async Task<ConnectedClient> CheckAsync(
        IConnectionMultiplexer multiplexer, RedisTransportOptions options, TransportContext context, bool isFirst,
        CancellationToken cancellationToken)
    {
        var (isCluster, hasShardedChannels) = (false, true);
        foreach (var server in multiplexer.GetServers())
        {
            isCluster |= server.ServerType == ServerType.Cluster;
            if (server.ServerType == ServerType.Sentinel)
            {
                throw new NotSupportedException(
                    $"{server.EndPoint} is a Sentinel, and no service is named. Add serviceName=NAME ({options.KeyOfServers(context)}).");
            }

            if (server.ServerType is ServerType.Twemproxy or ServerType.Envoyproxy)
            {
                throw new NotSupportedException(
                    $"{server.EndPoint} is a {server.ServerType}, which has no publish/subscribe for applications. "
                    + $"Name the Redis servers themselves ({options.KeyOfServers(context)}).");
            }

            if (server.IsConnected)
            {
                hasShardedChannels &= server.Version >= s_shardedChannels;
                if (server.Version < s_oldest)
                {
                    throw new NotSupportedException(
                        $"{server.EndPoint} is Redis {server.Version}; {s_oldest} or newer is needed. Update the server.");
                }
            }
        }

        if (!isCluster && options.Connect is null)
        {
            LookAtRoles(multiplexer, options, context, isFirst);
        }

        hasShardedChannels = hasShardedChannels
            && (isCluster || options.Wire == RedisWire.Gilmour
                || await HasShardedChannelsAsync(multiplexer, options, context, cancellationToken).ConfigureAwait(false));
        return new(multiplexer, isCluster, hasShardedChannels);
    }

    // Only at start: while a master and its replica change places, both are masters for a moment.
    private static void LookAtRoles(
        IConnectionMultiplexer multiplexer, RedisTransportOptions options, TransportContext context, bool isFirst)
    {
        var connected = multiplexer.GetServers().Where(server => server.IsConnected).ToArray();
        string[] masters = [.. connected.Where(server => !server.IsReplica).Select(server => $"{server.EndPoint}")];
        if (!isFirst || connected.Length < 2)
        {
            return;
        }

        if (masters.Length > 1)
        {
            throw new NotSupportedException(
                $"{string.Join(" and ", masters)} are masters of their own and no cluster, so that nodes on them would not see each other. "
                + $"Name one of them. ({options.KeyOfServers(context)})");
        }

        RedisLog.ReplicaInList(
            context.LoggerFactory.CreateLogger("ServiceMesh.Redis"),
            string.Join(", ", connected.Where(server => server.IsReplica).Select(server => $"{server.EndPoint}")),
            options.KeyOfServers(context));
    }

    // Garnet says that it is Redis 7 and has sharded channels on a cluster only. All nodes must come to the same: what a user may not do,
    // or what was disabled, is told elsewhere.
    private static async Task<bool> HasShardedChannelsAsync(
        IConnectionMultiplexer multiplexer, RedisTransportOptions options, TransportContext context, CancellationToken cancellationToken)
    {
        try
        {
            await multiplexer.GetSubscriber().PublishAsync(RedisChannel.Sharded($"{options.KeyPrefix}:beat:{context.NodeId}"), "")
                .WaitAsync(options.ConnectTimeout, context.Clock, cancellationToken).ConfigureAwait(false);
            return true;
        }
        catch (RedisServerException refusal)
        {
            return !refusal.Message.Contains("cluster support disabled", StringComparison.OrdinalIgnoreCase);
        }
        catch (Exception failure) when (RedisConnection.IsOfRedis(failure))
        {
            throw new TransportException($"Redis did not answer at start: {Printable.Line(failure.Message)}", failure);
        }
    }

    private static async Task<IConnectionMultiplexer> OpenOwnAsync(
        RedisTransportOptions options, TransportContext context, CancellationToken cancellationToken)
    {
        var configuration = SettingsOf(options, context);
        var asked = configuration; // the servers with which something may be wrong
        var connecting = ConnectAsync(configuration, found => asked = found, options, context, cancellationToken);
        try
        {
            // The client bounds each attempt and not the whole.
            var multiplexer = await connecting.WaitAsync(options.ConnectTimeout, context.Clock, cancellationToken).ConfigureAwait(false);
            if (configuration.User is { Length: > 0 } user
                && await AskUserAsync(multiplexer, options, context, cancellationToken).ConfigureAwait(false)
                    is { } actual && actual != user)
            {
                CloseLate(connecting);
                throw new TransportException(
                    $"Redis refuses the user '{Printable.Line(user)}' or the password, and takes this node for the user "
                    + $"'{Printable.Line(actual)}'. Fix the user or the password. ({options.KeyOfServers(context)})");
            }

            return multiplexer;
        }
        catch (Exception failure) when (failure is RedisException or TimeoutException)
        {
            CloseLate(connecting);
            var why = await Diagnosis.OfAsync(asked, failure, cancellationToken).ConfigureAwait(false);
            throw new TransportException(
                $"Redis could not be used within {options.ConnectTimeout}: {why} ({options.KeyOfServers(context)})",
                Secrets.Unless(failure, configuration.Password));
        }
        catch (OperationCanceledException)
        {
            CloseLate(connecting);
            throw;
        }
    }

    private static async Task<ConnectionMultiplexer> ConnectAsync(
        ConfigurationOptions configuration, Action<ConfigurationOptions> onFound, RedisTransportOptions options, TransportContext context,
        CancellationToken cancellationToken)
    {
        if (configuration.ServiceName is not { Length: > 0 } service)
        {
            return await ConnectionMultiplexer.ConnectAsync(configuration, null).ConfigureAwait(false);
        }

        var found = await Sentinels.FindMasterAsync(configuration, options.KeyOfServers(context), context, cancellationToken)
            .ConfigureAwait(false);
        onFound(found);
        var multiplexer = await ConnectionMultiplexer.ConnectAsync(found, null).ConfigureAwait(false);
        if (multiplexer.GetServers().Any(server => server is { IsConnected: true, IsReplica: false }))
        {
            return multiplexer;
        }

        await multiplexer.DisposeAsync().ConfigureAwait(false);
        throw new TransportException(
            $"The Sentinels name {found.EndPoints[0]} as the master of '{Printable.Line(service)}', and it is a replica: a failover is "
            + $"under way. ({options.KeyOfServers(context)})");
    }

    // Where the default user needs no password, the client goes on as that user when Redis refuses the configured one.
    private static async Task<string?> AskUserAsync(
        ConnectionMultiplexer multiplexer, RedisTransportOptions options, TransportContext context, CancellationToken cancellationToken)
    {
        try
        {
            var user = await multiplexer.GetDatabase().ExecuteAsync("ACL", "WHOAMI")
                .WaitAsync(options.ConnectTimeout, context.Clock, cancellationToken).ConfigureAwait(false);
            return (string?)user;
        }
        catch (RedisServerException)
        {
            return null; // the user may not ask, or the server has no users
        }
    }

    private static async Task<IConnectionMultiplexer> TakeHandedInAsync(
        RedisTransportOptions options, TransportContext context, CancellationToken cancellationToken)
    {
        try
        {
            var multiplexer = await options.Connect!(cancellationToken)
                .WaitAsync(options.ConnectTimeout, context.Clock, cancellationToken).ConfigureAwait(false);
            var client = ConfigurationOptions.Parse(multiplexer.Configuration, ignoreUnknown: true);
            client.DefaultDatabase = null; // the mesh uses database 0 of it
            RefuseHalfSeparated(client, options, "The connection to Redis that the application handed in", context);
            return multiplexer.IsConnected
                ? multiplexer
                : throw new TransportException("The connection to Redis that the application handed in is not connected.");
        }
        catch (Exception failure)
            when (failure is not (TransportException or NotSupportedException) && !cancellationToken.IsCancellationRequested)
        {
            throw new TransportException(
                $"The application handed in no connection to Redis within {options.ConnectTimeout}: {Secrets.Told(failure)}",
                Secrets.Unless(failure, null));
        }
    }

    /// <exception cref="NotSupportedException">The settings separate meshes by halves.</exception>
    private static void RefuseHalfSeparated(
        ConfigurationOptions client, RedisTransportOptions options, string source, TransportContext context)
    {
        if (Separation.Problem(client, options.Wire, source, context.KeyOf("Redis:KeyPrefix")) is { } problem)
        {
            throw new NotSupportedException(problem);
        }
    }

    /// <summary>Its caller has stopped waiting: a connection that comes too late is closed when it comes.</summary>
    public static async void CloseLate(Task<ConnectionMultiplexer> connecting)
    {
        await ((Task)connecting).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (!connecting.IsCompletedSuccessfully)
        {
            return; // it came to nothing, as its caller was told already
        }

        try
        {
            var late = await connecting.ConfigureAwait(false);
            await late.CloseAsync(false).ConfigureAwait(false);
        }
        catch (Exception failure) when (RedisConnection.IsOfRedis(failure))
        {
            // What is left of it ends with its sockets.
        }
    }
}
