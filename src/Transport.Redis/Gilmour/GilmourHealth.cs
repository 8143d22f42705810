using System.Text.Json;
using ServiceMesh.Links;
using StackExchange.Redis;

namespace ServiceMesh.Redis;

/// <summary>
/// How the nodes of the Gilmour implementations find each other: each is a field of one hash, and answers a probe with the
/// channels it is subscribed to. This node is one of them, and asks the others.
/// </summary>
/// <remarks>
/// Our node id stands in the place of the ident's UUID: <c>HOST-pid-PID-uuid-NODEID</c>. A node that was killed stays in the
/// hash, as theirs do: that is how their monitor notices, and <see cref="ListAsync"/> leaves out who does not answer.
/// </remarks>
internal sealed class GilmourHealth : IAsyncDisposable
{
    private const string Probes = "gilmour.health.";

    // Beyond what the bus counts to, and within what a reply's channel may end in.
    private const long FirstProbe = 100_000_000_000_000_000;

    // A hash that was flushed is whole again after so long.
    private static readonly TimeSpan s_renewal = TimeSpan.FromSeconds(5);

    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(1);

    private readonly RedisConnection _connection;
    private readonly RedisSubscriptions _subscriptions;
    private readonly Answers _answers;
    private readonly TransportContext _context;
    private readonly LossLog _losses;
    private readonly string _ident;
    private readonly CancellationTokenSource _stopping = new();
    private Task _loop = Task.CompletedTask;
    private long _probes;

    public GilmourHealth(
        RedisConnection connection, RedisSubscriptions subscriptions, Answers answers, TransportContext context, LossLog losses)
    {
        (_connection, _subscriptions, _answers, _context, _losses) = (connection, subscriptions, answers, context, losses);
        var info = context.Describe();
        _ident = $"{info.Host}-pid-{info.ProcessId}-uuid-{info.Id}";
    }

    /// <summary>Answers probes and is known from now on, until it is disposed.</summary>
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        await _subscriptions.HearAsync(Publisher.Channel(Probes + _ident), OnProbe, cancellationToken).ConfigureAwait(false);
        await TryRegisterAsync().ConfigureAwait(false);
        _loop = RenewAsync();
    }

    /// <summary>The foreign nodes that answer within a second. Uptime is not known and zero, and so is each group.</summary>
    /// <param name="ours">The nodes that are known already.</param>
    /// <param name="requestAsync">Sends a request.</param>
    /// <param name="cancellationToken">Stops waiting.</param>
    public async Task<IReadOnlyList<NodeInfo>> ListAsync(
        IReadOnlyCollection<NodeInfo> ours,
        Func<Message, CancellationToken, ValueTask<ReplyMessage>> requestAsync, CancellationToken cancellationToken)
    {
        var idents = await _connection.Database.HashKeysAsync(GilmourNames.KnownNodes, CommandFlags.None)
            .WaitAsync(s_patience, _context.Clock, cancellationToken)
            .ConfigureAwait(false);
        using var limit = new CancellationTokenSource(s_patience, _context.Clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        var foreign = idents.Select(i => (string)i!).Where(i => !ours.Any(o => i.EndsWith($"-uuid-{o.Id}", StringComparison.Ordinal)));
        var answers = await Task.WhenAll(foreign.Select(i => ProbeAsync(i, requestAsync, either.Token))).ConfigureAwait(false);
        cancellationToken.ThrowIfCancellationRequested();
        return [.. answers.OfType<NodeInfo>()];
    }

    /// <summary>Is known no more.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync().ConfigureAwait(false);
        await _loop.ConfigureAwait(false);
        try
        {
            await _connection.Database.HashDeleteAsync(GilmourNames.KnownNodes, _ident, CommandFlags.None).ConfigureAwait(false);
        }
        catch (Exception failure) when (failure is RedisException or TimeoutException or ObjectDisposedException or TransportException)
        {
            // It stays in the hash, and who probes it learns that it is gone.
        }

        _stopping.Dispose();
    }

    private async Task RenewAsync()
    {
        using var timer = new PeriodicTimer(s_renewal, _context.Clock);
        try
        {
            while (await timer.WaitForNextTickAsync(_stopping.Token).ConfigureAwait(false))
            {
                await TryRegisterAsync().ConfigureAwait(false);
            }
        }
        catch (OperationCanceledException)
        {
            // The end of the loop, as asked.
        }
    }

    private async Task TryRegisterAsync()
    {
        try
        {
            await _connection.Database.HashSetAsync(GilmourNames.KnownNodes, _ident, "active", When.Always, CommandFlags.None)
                .ConfigureAwait(false);
        }
        catch (Exception failure) when (failure is RedisException or TimeoutException or ObjectDisposedException or TransportException)
        {
            // The connection's own watch tells of the gap; the next renewal makes up for it.
        }
    }

    private void OnProbe(RedisChannel channel, RedisValue value)
    {
        byte[] frame = value!;
        if (RedisTransportOptions.Exceeds(frame.Length, _context.MaxBodyBytes))
        {
            _losses.Report("too-large", channel!, $"A health probe has {frame.Length} bytes.", StatusCode.BodyTooLarge);
        }
        else if (!GilmourEnvelope.TryRead(frame, out var probe, out var error))
        {
            _losses.Report("malformed-frame", channel!, error);
        }
        else if (probe.Sender.Length > 0)
        {
            // Without a sender there is nobody to answer.
            _ = AnswerAsync(new(probe.Sender, -1));
        }
    }

    private async Task AnswerAsync(MessageId probe)
    {
        var channels = _context.Describe().Subscriptions.SelectMany(ChannelsOf).Distinct().ToArray();
        var answer = new ReplyMessage
        {
            Status = StatusCode.Ok,
            ContentType = "application/json",
            Body = JsonSerializer.SerializeToUtf8Bytes(channels, RedisJson.Default.StringArray),
        };
        _answers.Publish(GilmourWire.ReplyChannel(probe), GilmourWire.Write(probe, new Answer(answer)), Probes + _ident);
    }

    private IReadOnlyList<string> ChannelsOf(SubscriptionInfo subscription) => subscription.Kind == MessageKind.Request
        ? [GilmourWire.RequestChannel(Topic.Parse(subscription.Pattern))]
        : GilmourWire.SignalChannels(TopicPattern.Parse(subscription.Pattern));

    // Null for a node that is away, does not answer in time, or has a name that is not a topic.
    private async Task<NodeInfo?> ProbeAsync(
        string ident, Func<Message, CancellationToken, ValueTask<ReplyMessage>> requestAsync, CancellationToken cancellationToken)
    {
        if (!Topic.TryParse(Probes + ident, out var topic))
        {
            return null;
        }

        try
        {
            var answer = await requestAsync(
                new()
                {
                    Id = new(_context.NodeId, FirstProbe + Interlocked.Increment(ref _probes)),
                    Kind = MessageKind.Request,
                    Topic = topic,
                    ContentType = "application/json",
                    Body = "\"ping\""u8.ToArray(),
                    Deadline = Deadline.After(s_patience, _context.Clock),
                },
                cancellationToken).ConfigureAwait(false);
            return answer.Status.IsFailure ? null : Describe(ident, answer.Body.Span);
        }
        catch (Exception failure) when (failure is OperationCanceledException or TransportException or JsonException)
        {
            return null;
        }
    }

    private static NodeInfo Describe(string ident, ReadOnlySpan<byte> channels)
    {
        var host = ident.LastIndexOf("-pid-", StringComparison.Ordinal);
        var process = host < 0 ? "" : ident[(host + "-pid-".Length)..].Split('-')[0];
        return new()
        {
            Id = ident,
            Name = "gilmour",
            Host = host < 0 ? ident : ident[..host],
            ProcessId = int.TryParse(process, out var id) ? id : 0,
            Uptime = TimeSpan.Zero,
            IsDraining = false,
            Subscriptions =
            [
                .. (JsonSerializer.Deserialize(channels, RedisJson.Default.StringArray) ?? []).OfType<string>().Select(Describe),
            ],
        };
    }

    private static SubscriptionInfo Describe(string channel) => channel.StartsWith(GilmourWire.Signals, StringComparison.Ordinal)
        ? new() { Kind = MessageKind.Signal, Pattern = channel[GilmourWire.Signals.Length..] }
        : new()
        {
            Kind = MessageKind.Request,
            Pattern = channel.StartsWith(GilmourWire.Requests, StringComparison.Ordinal) ? channel[GilmourWire.Requests.Length..] : channel,
        };
}
