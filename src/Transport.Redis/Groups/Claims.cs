using StackExchange.Redis;

namespace ServiceMesh.Redis;

/// <summary>
/// Gives each message to one member of a group: every member hears it and tries to set the same key, and Redis lets one.
/// </summary>
internal sealed class Claims(RedisConnection connection, IRedisWire wire, string nodeId)
{
    // Members hear a message within the time of a reconnect; Gilmour keeps claims for 600 s.
    private static readonly TimeSpan s_signalsLifetime = TimeSpan.FromSeconds(60);

    // After the deadline everybody refuses the request anyway; a little more covers clocks that run apart.
    private static readonly TimeSpan s_slack = TimeSpan.FromSeconds(1);

    /// <summary>True for the one that may handle the message, or that knows that nobody else will.</summary>
    /// <exception cref="RedisException">Redis could not be asked.</exception>
    public Task<bool> TryTakeAsync(Message message, string group)
    {
        var lifetime = message.Deadline.Exists ? message.Deadline.Remaining + s_slack : s_signalsLifetime;
        return connection.Database.StringSetAsync(wire.ClaimKey(message.Id, group), nodeId, lifetime, When.NotExists, CommandFlags.None);
    }
}
