using System.Text;
using StackExchange.Redis;

namespace ServiceMesh.Redis;

/// <summary>
/// Gives each message to one member of a group: every member hears it and tries to set the same key, and Redis lets one.
/// </summary>
internal sealed class Claims(RedisConnection connection, string nodeId)
{
    // Members hear a message within the time of a reconnect; Gilmour keeps claims for 600 s.
    private static readonly TimeSpan s_signalsLifetime = TimeSpan.FromSeconds(60);

    // Longer than any member may lag behind: one that was stopped, or whose network was silent, wakes up with the request still
    // before it. Gilmour's own clients keep every claim so long.
    private static readonly TimeSpan s_requestsLifetime = TimeSpan.FromSeconds(600);

    // The value of a claim that closes a message. No node has this id, and nodes of other versions read it.
    private static readonly RedisValue s_noMember = "nobody";

    // As bytes, which the client would make of it for each claim.
    private readonly RedisValue _self = Encoding.UTF8.GetBytes(nodeId);

    /// <summary>True for the one member that may handle the message.</summary>
    /// <exception cref="RedisException">Redis could not be asked.</exception>
    public Task<bool> TryTakeAsync(Message message, string group) => TrySetAsync(message, group, _self);

    /// <summary>True for the one that finds out that no member has the message; none will from now on.</summary>
    /// <exception cref="RedisException">Redis could not be asked.</exception>
    public Task<bool> TryCloseAsync(Message message, string group) => TrySetAsync(message, group, s_noMember);

    /// <summary>
    /// True when no member has the message and no member will get it; it does not matter which caller
    /// found that out first.
    /// </summary>
    /// <exception cref="RedisException">Redis could not be asked.</exception>
    public async Task<bool> CloseAsync(Message message, string group) =>
        await TryCloseAsync(message, group).ConfigureAwait(false)
        || await connection.Database.StringGetAsync(GilmourWire.ClaimKey(message.Id, group), CommandFlags.None)
            .ConfigureAwait(false) == s_noMember;

    private Task<bool> TrySetAsync(Message message, string group, RedisValue holder)
    {
        var lifetime = message.Kind == MessageKind.Signal ? s_signalsLifetime
            : message.Deadline.Exists && message.Deadline.Remaining > s_requestsLifetime ? message.Deadline.Remaining
            : s_requestsLifetime;
        return connection.Database.StringSetAsync(
            GilmourWire.ClaimKey(message.Id, group), holder, lifetime, When.NotExists, CommandFlags.None);
    }
}
