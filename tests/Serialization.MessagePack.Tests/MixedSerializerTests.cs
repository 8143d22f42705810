using Microsoft.Extensions.DependencyInjection;
using NUnit.Framework;
using ServiceMesh.Support;

namespace ServiceMesh.Core.Tests;

/// <summary>Nodes with different serializers understand each other: who answers does it in the format of who asked.</summary>
public sealed class MixedSerializerTests
{
    private static readonly RequestTopic<Reading, Reading> s_warm = new("mixed.warm");

    [TestCase("Json", "MessagePack", "application/json")]
    [TestCase("MessagePack", "Json", "application/msgpack")]
    [TestCase("MessagePack", "MessagePack", "application/msgpack")]
    public async Task A_request_is_written_as_the_caller_is_configured_and_answered_alike(string caller, string server, string contentType)
    {
        var network = new InMemoryNetwork();
        var seen = new List<string>();
        await using var serving = await TestNode.StartAsync(
            mesh => mesh.AddInMemoryTransport(network)
                .AddHandler(s_warm, (reading, context) =>
                {
                    seen.Add(context.Message.ContentType);
                    return reading with { Degrees = reading.Degrees + 1 };
                }),
            [("Serializer", server)]);
        var replies = new ContentTypes();
        await using var calling = await TestNode.StartAsync(
            mesh => mesh.AddInMemoryTransport(network).AddSendMiddleware<ContentTypes.OfReplies>(),
            [("Serializer", caller)],
            services => services.AddSingleton(replies));

        var answer = await calling.Bus.RequestAsync(s_warm, new Reading("pune", 30, null));

        Assert.That(answer, Is.EqualTo(new Reading("pune", 31, null)));
        Assert.That(seen, Is.EqualTo([contentType]));
        Assert.That(replies.Seen, Is.EqualTo([contentType]));
    }

    private sealed class ContentTypes
    {
        public List<string> Seen { get; } = [];

        public sealed class OfReplies(ContentTypes types) : ISendMiddleware
        {
            public async ValueTask<ReplyMessage> RequestAsync(
                Message request, Func<Message, CancellationToken, ValueTask<ReplyMessage>> next, CancellationToken cancellationToken)
            {
                var reply = await next(request, cancellationToken);
                types.Seen.Add(reply.ContentType);
                return reply;
            }
        }
    }
}
