using StackExchange.Redis;

namespace ServiceMesh.Redis;

/// <summary>
/// Tries at start each command that the mesh will need, on keys and channels of this node, and says which one Redis refuses to the user or
/// does not have. Other answers, of a replica or of a full memory, pass with time and are not looked at.
/// </summary>
internal static class Rights
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(3);
    private static readonly TimeSpan s_lifetime = TimeSpan.FromSeconds(10);

    // What is said of a transaction whose beginning was refused.
    private const string NoMulti = "EXEC without MULTI";

    /// <exception cref="TransportException">A right or a command is missing; the message names it.</exception>
    public static async Task CheckAsync(
        ConnectedClient client, RedisTransportOptions options, TransportContext context, CancellationToken cancellationToken)
    {
        var tries = options.Wire == RedisWire.Gilmour
            ? OfGilmour(client, options.KeyPrefix, context.NodeId)
            : OfNative(client, options.KeyPrefix, context.NodeId);
        if (await FirstRefusalAsync(tries, context, cancellationToken).ConfigureAwait(false) is not { } said)
        {
            return;
        }

        var user = ConfigurationOptions.Parse(client.Multiplexer.Configuration, ignoreUnknown: true).User ?? "default";
        throw new TransportException(
            (said.Contains(NoMulti, StringComparison.Ordinal)
                ? $"Redis refuses 'multi' to the user '{Printable.Line(user)}', or has it disabled (rename-command). "
                    + "Give the user the rights of the line in docs/redis.md, or enable the command."
            : IsMissing(said)
                ? $"Redis has a command disabled that the mesh needs: it says '{Said(said).Split(',')[0]}'. Enable it (rename-command)."
            : $"The user '{Printable.Line(user)}' lacks a right that the mesh needs: Redis says '{Said(said)}'. "
                + "Give the user the rights of the line in docs/redis.md.")
            + $" ({options.KeyOfServers(context)})");
    }

    private static IEnumerable<Task> OfNative(ConnectedClient client, string prefix, string id)
    {
        var (database, members) = (client.Database, $"{prefix}:members");
        var (probe, inbox) = ($"{prefix}:member:{id}", $"{prefix}:inbox:{id}");
        yield return database.StringGetAsync($"{prefix}:clock");
        yield return database.StringSetAsync(probe, "", s_lifetime, when: When.NotExists);
        // Without a lifetime, and with two fields, the client sends other commands.
        yield return database.StringSetAsync(probe, "", when: When.NotExists);
        yield return database.KeyDeleteAsync(probe);
        yield return database.HashSetAsync(probe, "probe", "");
        yield return database.HashSetAsync(probe, [new("probe", ""), new("probes", "")]);
        yield return database.KeyExpireAsync(probe, s_lifetime);
        yield return database.HashGetAsync(probe, "probe");
        yield return database.HashGetAllAsync(probe);
        yield return database.HashLengthAsync(probe);
        yield return database.HashDeleteAsync(probe, "probe");
        foreach (var task in OfList(database, members, id))
        {
            yield return task;
        }

        yield return client.Subscriber.PublishAsync(RedisChannel.Literal(inbox), "");
        if (client.HasShardedChannels)
        {
            yield return client.Subscriber.PublishAsync(RedisChannel.Sharded(inbox), "");
        }

        if (client.Multiplexer.GetServers().FirstOrDefault(server => server is { IsConnected: true, IsReplica: false }) is { } master)
        {
            yield return master.TimeAsync();
        }

        // Two commands, because the client sends one alone without a transaction.
        var transaction = database.CreateTransaction();
        yield return ExecuteAsync(transaction, transaction.KeyDeleteAsync(probe), transaction.KeyExpireAsync(probe, s_lifetime));
    }

    private static IEnumerable<Task> OfGilmour(ConnectedClient client, string prefix, string id)
    {
        var (database, node, claim) = (client.Database, $"{prefix}:node:{id}", $"{id}.0_default");
        yield return database.StringSetAsync(node, "", s_lifetime);
        yield return database.StringGetAsync(node);
        yield return database.KeyDeleteAsync(node);
        foreach (var task in OfList(database, $"{prefix}:nodes", id))
        {
            yield return task;
        }

        yield return database.StringSetAsync(claim, "", s_lifetime, when: When.NotExists);
        yield return database.KeyDeleteAsync(claim);
        yield return database.HashSetAsync(GilmourNames.KnownNodes, id, "");
        yield return database.HashKeysAsync(GilmourNames.KnownNodes);
        yield return database.HashDeleteAsync(GilmourNames.KnownNodes, id);
        yield return client.Subscriber.PublishAsync(RedisChannel.Literal($"gilmour.mesh.beat.{id}"), "");
    }

    // The sorted set of nodes, in which this one has long expired.
    private static IEnumerable<Task> OfList(IDatabase database, RedisKey nodes, string id)
    {
        yield return database.SortedSetAddAsync(nodes, id, 1);
        yield return database.SortedSetRangeByScoreAsync(nodes, 0, 1, take: 1);
        yield return database.SortedSetRemoveRangeByScoreAsync(nodes, double.NegativeInfinity, 1);
        yield return database.SortedSetRemoveAsync(nodes, id);
    }

    private static async Task ExecuteAsync(ITransaction transaction, params Task[] commands)
    {
        await transaction.ExecuteAsync().ConfigureAwait(false);
        await Task.WhenAll(commands).ConfigureAwait(false);
    }

    // All commands are under way at once, and the first that is missing is told of. A server that is slow says nothing about rights.
    private static async Task<string?> FirstRefusalAsync(
        IEnumerable<Task> tries, TransportContext context, CancellationToken cancellationToken)
    {
        try
        {
            var refused = await Task.WhenAll(tries.Select(RefusalAsync)).WaitAsync(s_patience, context.Clock, cancellationToken)
                .ConfigureAwait(false);
            return Array.Find(refused, refusal => refusal is not null);
        }
        catch (TimeoutException)
        {
            return null;
        }
    }

    private static async Task<string?> RefusalAsync(Task command)
    {
        try
        {
            await command.ConfigureAwait(false);
            return null;
        }
        catch (Exception failure) when (RedisConnection.IsOfRedis(failure))
        {
            return IsMissing(failure.Message)
                || failure.Message.Contains(NoMulti, StringComparison.Ordinal)
                || failure.Message.Contains("NOPERM", StringComparison.Ordinal) ? failure.Message : null;
        }
    }

    private static bool IsMissing(string said) => said.Contains("unknown command", StringComparison.OrdinalIgnoreCase);

    private static string Said(string message) => Printable.Line(Secrets.WithoutArguments(message)).TrimEnd('.');
}
