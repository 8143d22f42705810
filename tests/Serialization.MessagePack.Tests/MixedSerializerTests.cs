using Microsoft.Extensions.DependencyInjection;
using NUnit.Framework;
using ServiceMesh.Support;

namespace ServiceMesh.MessagePack.Tests;

/// <summary>Nodes with different serializers understand each other: a node answers in the format of the request.</summary>
public sealed class MixedSerializerTests
{
    private static readonly RequestTopic<Reading, Reading> s_warm = new("mixed.warm");

    [TestCase("Json", "MessagePack", "application/json")]
    [TestCase("MessagePack", "Json", "application/msgpack")]
    [TestCase("MessagePack", "MessagePack", "application/msgpack")]
    public async Task A_request_has_the_format_of_its_caller_and_is_answered_in_the_same_format(
        string caller, string server, string contentType)
    {
        var network = new InMemoryNetwork();
        var seen = new List<string>();
        await using var serving = await StartAsync(network, server, mesh => mesh.AddHandler(s_warm, (reading, context) =>
        {
            seen.Add(context.Message.ContentType);
            return reading with { Degrees = reading.Degrees + 1 };
        }));
        await using var calling = await StartAsync(network, caller);

        var answer = await calling.Node.Bus.RequestAsync(s_warm, new Reading("pune", 30, null));

        Assert.That(answer, Is.EqualTo(new Reading("pune", 31, null)));
        Assert.That(seen, Is.EqualTo([contentType]));
        Assert.That(calling.Replies.Seen, Is.EqualTo([contentType]));
    }

    [Test]
    public async Task Node_information_is_JSON_on_a_bus_that_writes_MessagePack()
    {
        await using var node = await StartAsync(new(), "MessagePack");

        var info = await node.Node.Bus.RequestAsync(MeshTopics.Node(node.Node.Bus.DescribeNode().Id), Unit.Value);

        Assert.That(info.Id, Is.EqualTo(node.Node.Bus.DescribeNode().Id));
        Assert.That(node.Replies.Asked, Is.EqualTo(["application/json"]));
        Assert.That(node.Replies.Seen, Is.EqualTo(["application/json"]));
    }

    [Test]
    public async Task Node_information_is_JSON_even_for_a_request_in_MessagePack()
    {
        // A request as another client may send it.
        await using var node = await StartAsync(new(), "MessagePack", mesh => mesh.AddSendMiddleware<AskingInMessagePack>());

        var info = await node.Node.Bus.RequestAsync(MeshTopics.Node(node.Node.Bus.DescribeNode().Id), Unit.Value);

        Assert.That(info.Id, Is.EqualTo(node.Node.Bus.DescribeNode().Id));
        Assert.That(node.Replies.Seen, Is.EqualTo(["application/json"]));
    }

    [Test]
    public async Task Error_reports_are_JSON_on_a_bus_that_writes_MessagePack()
    {
        var heard = new TaskCompletionSource<(ErrorReport Report, string ContentType)>(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var node = await StartAsync(new(), "MessagePack", mesh => mesh
            .AddHandler(s_warm, Reading (_, _) => throw new InvalidTimeZoneException("broken"))
            .AddHandler(MeshTopics.Errors, (report, context) => heard.SetResult((report, context.Message.ContentType))));

        await node.Node.Bus.TryRequestAsync(s_warm, new Reading("pune", 30, null));

        var (report, contentType) = await heard.Task.WaitAsync(TimeSpan.FromSeconds(20));
        Assert.That((report.Topic, report.Status), Is.EqualTo(("mixed.warm", 500)));
        Assert.That(contentType, Is.EqualTo("application/json"));
    }

    private static async Task<Started> StartAsync(InMemoryNetwork network, string serializer, Action<IServiceMeshBuilder>? configure = null)
    {
        var replies = new ContentTypes();
        var node = await TestNode.StartAsync(
            mesh =>
            {
                mesh.AddInMemoryTransport(network).AddMessagePackSerializer().AddSendMiddleware<ContentTypes.OfReplies>();
                configure?.Invoke(mesh);
            },
            [("Serializer", serializer)],
            services => services.AddSingleton(replies));
        return new(node, replies);
    }

    private sealed class AskingInMessagePack : ISendMiddleware
    {
        public ValueTask<ReplyMessage> RequestAsync(
            Message request, Func<Message, CancellationToken, ValueTask<ReplyMessage>> next, CancellationToken cancellationToken) =>
            next(request with { ContentType = "application/msgpack", Body = new byte[] { 0x80 } }, cancellationToken);
    }

    public sealed record Reading(string City, int Degrees, string? Note);

    private sealed record Started(TestNode Node, ContentTypes Replies) : IAsyncDisposable
    {
        public ValueTask DisposeAsync() => Node.DisposeAsync();
    }

    private sealed class ContentTypes
    {
        public List<string> Asked { get; } = [];

        public List<string> Seen { get; } = [];

        public sealed class OfReplies(ContentTypes types) : ISendMiddleware
        {
            public async ValueTask<ReplyMessage> RequestAsync(
                Message request, Func<Message, CancellationToken, ValueTask<ReplyMessage>> next, CancellationToken cancellationToken)
            {
                types.Asked.Add(request.ContentType);
                var reply = await next(request, cancellationToken);
                types.Seen.Add(reply.ContentType);
                return reply;
            }
        }
    }
}
