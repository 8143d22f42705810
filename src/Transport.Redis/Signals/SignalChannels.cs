using System.Text;
using ServiceMesh.Links;
using StackExchange.Redis;

namespace ServiceMesh.Redis;

/// <summary>
/// Signals for individuals: one PUBLISH that Redis fans out, and one subscription for each subscriber. Thread-safe.
/// </summary>
/// <param name="connection">Publishes.</param>
/// <param name="context">Of the bus.</param>
/// <param name="prefix">What the names of channels begin with.</param>
/// <param name="onLoss">Is told of what cannot be read.</param>
/// <param name="sealer">Seals what is published; null to publish it as it is.</param>
internal sealed class SignalChannels(RedisConnection connection, TransportContext context, string prefix, Action<LinkLoss> onLoss,
    Sealer? sealer)
{
    private readonly TextPool _texts = new();
    private readonly byte[] _preamble = FrameWriter.Preamble(context.NodeId);
    private readonly string _start = $"{prefix}:signal:";

    /// <summary>What an individual subscriber hears.</summary>
    public RedisChannel ChannelOf(TopicPattern pattern) =>
        pattern.IsExact ? RedisChannel.Literal(_start + pattern) : RedisChannel.Pattern(_start + pattern);

    /// <summary>Publishes a signal. Returns how many connections of the server received it.</summary>
    /// <exception cref="TransportException">Redis did not take it, or its answer is lost.</exception>
    public async Task<long> PublishAsync(Message signal)
    {
        byte[] packet;
        using (var buffer = new FrameBuffer())
        {
            buffer.Raw(_preamble);
            FrameWriter.Message(buffer, signal.Id.Number, signal, "", FrameDeadline.None);
            packet = buffer.Written.ToArray();
        }

        try
        {
            var name = _start + signal.Topic;
            return sealer is null
                ? await PublishAsync(name, packet).ConfigureAwait(false)
                : await sealer.PublishAsync(Encoding.UTF8.GetBytes(name), packet, (this, name), static (to, bytes) =>
                    to.Item1.PublishAsync(to.name, bytes)).ConfigureAwait(false);
        }
        catch (Exception failure) when (RedisConnection.IsOfRedis(failure))
        {
            if (failure is RedisServerException)
            {
                connection.Refused(Printable.Line(failure.Message));
            }

            throw failure as TransportException
                ?? new($"Redis did not take the signal, or its answer is lost: {Printable.Line(failure.Message)}", failure);
        }
    }

    // On a cluster all messages of a channel go through the master that has the key of that name, in order.
    private Task<long> PublishAsync(string channel, ReadOnlyMemory<byte> packet) => connection.IsCluster
        ? CountAsync(connection.Database.ExecuteAsync("PUBLISH", (RedisKey)channel, packet))
        : connection.Subscriber.PublishAsync(RedisChannel.Literal(channel), packet);

    private static async Task<long> CountAsync(Task<RedisResult> publishing) => (long)await publishing.ConfigureAwait(false);

    /// <summary>What one individual subscriber does with what it hears. Nothing in it can make this throw.</summary>
    public void Hear(Subscription subscription, RedisChannel channel, ReadOnlyMemory<byte> packet)
    {
        var fault = FrameReader.ReadPreamble(packet.Span, _texts, out var preamble);
        if (fault != FrameFault.None)
        {
            Lose(fault, preamble.Sender ?? "unknown", channel);
            return;
        }

        var bytes = packet[preamble.Length..];
        if (FrameReader.Read(bytes, Math.Max(bytes.Length, 3), _texts, out var frame, out var consumed, out fault) != FrameStatus.Read
            || frame.Kind != FrameKind.Signal || consumed != bytes.Length)
        {
            Lose(fault == FrameFault.None ? FrameFault.WrongLength : fault, preamble.Sender, channel);
            return;
        }

        // Redis knows '*' only as "any characters": a pattern's own grammar has the last word.
        if (!subscription.Pattern.Matches(frame.Topic))
        {
            return;
        }

        var delivery = subscription.Offer(new Message
        {
            Id = new(preamble.Sender, frame.Number),
            Kind = MessageKind.Signal,
            Topic = frame.Topic,
            Headers = frame.Headers,
            ContentType = frame.ContentType,
            Body = frame.Body,
        });
        if (!delivery.IsAccepted)
        {
            delivery.ReportLoss();
        }
        else
        {
            ThreadPool.UnsafeQueueUserWorkItem(static accepted => Run(accepted), delivery, preferLocal: false);
        }
    }

    // RunAsync never throws and reports the failures of signals itself.
    private static async void Run(Delivery delivery) => await delivery.RunAsync().ConfigureAwait(false);

    private void Lose(FrameFault fault, string sender, RedisChannel channel) =>
        onLoss(new("malformed-frame", sender, Printable.Line(channel.ToString()), $"{fault}: a signal was skipped."));
}
