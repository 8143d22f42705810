using System.Text.Json.Nodes;
using ServiceMesh.Support;

namespace ServiceMesh.Redis.Tests;

/// <summary>A message as a foreign node sees it.</summary>
internal sealed record Heard(string Channel, string Payload)
{
    private readonly JsonNode? _envelope = JsonNode.Parse(Payload);

    public string Data => _envelope?["data"]?.ToJsonString() ?? "null";

    public int Code => (int)_envelope!["code"]!;

    public string Sender => (string)_envelope!["sender"]!;
}

/// <summary>
/// A node in the manner of the Go and Ruby implementations, made of the commands that they send and of nothing else.
/// </summary>
internal sealed class ForeignNode : IAsyncDisposable
{
    private readonly RespConnection _commands;
    private readonly RespConnection _subscriptions;

    private ForeignNode(RespConnection commands, RespConnection subscriptions) => (_commands, _subscriptions) = (commands, subscriptions);

    public static async Task<ForeignNode> ConnectAsync(RedisServer server) =>
        new(await RespConnection.OpenAsync(server.Port), await RespConnection.OpenAsync(server.Port));

    /// <summary>Any command, on the connection that has no subscriptions.</summary>
    public Task<object?> CommandAsync(params string[] words) => _commands.CommandAsync(words);

    public Task SubscribeAsync(string channel) => _subscriptions.CommandAsync(channel.Contains('*') ? "PSUBSCRIBE" : "SUBSCRIBE", channel);

    public Task UnsubscribeAsync(string channel) => _subscriptions.CommandAsync("UNSUBSCRIBE", channel);

    /// <summary>Publishes any bytes; returns how many received them.</summary>
    public async Task<long> PublishAsync(string channel, string payload) => (long)(await CommandAsync("PUBLISH", channel, payload))!;

    /// <summary>What comes next on any subscription.</summary>
    public async Task<Heard> HearAsync()
    {
        var (channel, payload) = await _subscriptions.HearAsync();
        return new(channel, payload);
    }

    /// <summary>What has come on any subscription and was not heard yet.</summary>
    public IEnumerable<Heard> HeardMeanwhile()
    {
        while (_subscriptions.TryHear(out var heard))
        {
            yield return new(heard.Channel, heard.Payload);
        }
    }

    /// <summary>
    /// Asks as they do: look for a subscriber, listen for the answer, publish, stop listening. Null without a subscriber.
    /// </summary>
    public async Task<Heard?> RequestAsync(string topic, string data, string sender, string code = "200")
    {
        var channel = Destination("request", topic);
        if ((await CommandAsync("PUBSUB", "NUMSUB", channel)) is not object?[] { Length: 2 } counted || (long)counted[1]! == 0)
        {
            return null;
        }

        await SubscribeAsync($"gilmour.response.{sender}");
        await PublishAsync(channel, $$"""{"data": {{data}}, "code": {{code}}, "sender": "{{sender}}"}""");
        var answer = await HearAsync();
        await UnsubscribeAsync($"gilmour.response.{sender}");
        return answer;
    }

    public Task<long> SignalAsync(string topic, string data, string sender) =>
        PublishAsync(Destination("slot", topic), $$"""{"data": {{data}}, "code": 200, "sender": "{{sender}}"}""");

    public Task ReplyToAsync(string topic) => SubscribeAsync(Destination("request", topic));

    /// <summary>Whether this node is the member of the group that may handle the message.</summary>
    public async Task<bool> ClaimAsync(Heard heard, string group)
    {
        var key = heard.Sender + group;
        return await CommandAsync("SET", key, key, "NX", "EX", "600") is "OK";
    }

    /// <summary>Answers, with further members of the envelope as given: <c>"code": 200</c>.</summary>
    public Task<long> AnswerAsync(Heard request, string data, string more = "\"code\": 200") => PublishAsync(
        $"gilmour.response.{request.Sender}",
        $$"""{"data": {{data}}, "sender": "gilmour.response.{{request.Sender}}"{{(more.Length > 0 ? ", " + more : "")}}}""");

    public async ValueTask DisposeAsync()
    {
        await _commands.DisposeAsync();
        await _subscriptions.DisposeAsync();
    }

    private static string Destination(string kind, string topic) =>
        topic.StartsWith("gilmour.", StringComparison.Ordinal) ? topic : $"gilmour.{kind}.{topic}";
}
