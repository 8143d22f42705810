using System.Buffers;
using System.Text.Json.Serialization.Metadata;
using Microsoft.Extensions.DependencyInjection;
using NUnit.Framework;
using ServiceMesh.Support;

namespace ServiceMesh.Core.Tests;

/// <summary>A type that the configured serializer refuses is refused before its first message.</summary>
public sealed class UnsupportedTypeTests
{
    private static readonly RequestTopic<Refused, string> s_asksRefused = new("types.in");
    private static readonly RequestTopic<string, Refused> s_answersRefused = new("types.out");
    private static readonly SignalTopic<Refused> s_signalsRefused = new("types.signal");

    [Test]
    public void A_handler_of_a_refused_type_fails_the_start()
    {
        AssertFailsAtStart(
            mesh => mesh.AddHandler(s_asksRefused, (_, _) => ""),
            "request handler delegate on 'types.in' in group '_default' cannot be served");
        AssertFailsAtStart(mesh => mesh.AddHandler(s_answersRefused, (_, _) => new Refused()), "request handler delegate on 'types.out'");
        AssertFailsAtStart(mesh => mesh.AddHandler(s_signalsRefused, (_, _) => { }), "signal handler delegate on 'types.signal'");
    }

    [Test]
    public async Task A_handler_of_a_refused_type_cannot_subscribe_later()
    {
        await using var node = await StartAsync(_ => { });
        AssertRefused(
            () => node.Bus.SubscribeAsync(s_signalsRefused, (_, _) => Task.CompletedTask), "signal handler delegate on 'types.signal'");
        AssertRefused(
            () => node.Bus.SubscribeAsync(s_answersRefused, (_, _) => Task.FromResult(new Refused())),
            "request handler delegate on 'types.out'");
        Assert.That(node.Bus.DescribeNode().Subscriptions.Select(s => s.Pattern), Has.None.StartsWith("types."));
    }

    [Test]
    public async Task A_request_whose_answer_is_of_a_refused_type_is_not_sent()
    {
        var calls = 0;
        var texts = new RequestTopic<string, string>("types.out");
        await using var node = await StartAsync(mesh => mesh.AddHandler(texts, (_, _) => $"{++calls}"));
        AssertRefused(() => node.Bus.TryRequestAsync(s_answersRefused, ""), "Refused is not for Choosy.");
        AssertRefused(() => node.Bus.ExecuteAsync(s_answersRefused.Merge(text => text), ""), "Refused is not for Choosy.");
        Assert.That(calls, Is.Zero);
    }

    [Test]
    public async Task A_topic_of_the_bus_itself_does_not_depend_on_the_serializer()
    {
        await using var node = await StartAsync(mesh => mesh.AddHandler(MeshTopics.Errors, (_, _) => { }));
        var id = node.Bus.DescribeNode().Id;
        Assert.That((await node.Bus.RequestAsync(MeshTopics.Node(id), Unit.Value)).Id, Is.EqualTo(id));
    }

    [Test]
    public void A_type_without_a_JSON_contract_fails_the_start() =>
        Assert.That(
            async () => await TestNode.StartAsync(mesh => mesh.AddInMemoryTransport()
                .ConfigureJson(json => json.TypeInfoResolverChain.Insert(0, new Refusing()))
                .AddHandler(s_asksRefused, (_, _) => "")),
            Throws.TypeOf<NotSupportedException>().With.Message.Contains("'types.in'")
                .And.Message.Contains("Refused does not have a JSON contract").And.Message.Contains("AddJsonContext"));

    [Test]
    public void A_member_without_a_JSON_contract_fails_the_start() =>
        Assert.That(
            async () => await TestNode.StartAsync(mesh => mesh.AddInMemoryTransport()
                .ConfigureJson(json => json.TypeInfoResolverChain.Insert(0, new Refusing()))
                .AddHandler(new RequestTopic<string, Holder[]>("types.nested"), (_, _) => [])),
            Throws.TypeOf<NotSupportedException>().With.Message.Contains("'types.nested'")
                .And.Message.Contains("Holder[] does not have a JSON contract")
                .And.Message.Contains("Its reason: No contract for 'Refused'."));

    [Test]
    public void Exact_contracts_need_a_serializer_that_supports_them() =>
        Assert.That(
            async () => await TestNode.StartAsync(
                mesh => mesh.AddInMemoryTransport().AddSerializer(new Choosy()), [("Contracts", "Exact")]),
            Throws.TypeOf<NotSupportedException>()
                .With.Message.Contains("'Choosy' cannot refuse unknown members").And.Message.Contains("Contracts"));

    private static void AssertFailsAtStart(Action<IServiceMeshBuilder> configure, string said) =>
        AssertRefused(async () => await (await StartAsync(configure)).DisposeAsync(), said);

    private static void AssertRefused(Func<Task> action, string said) =>
        Assert.That(
            async () => await action(),
            Throws.TypeOf<NotSupportedException>().With.Message.Contains(said).And.Message.Contains("Refused is not for Choosy."));

    private static Task<TestNode> StartAsync(Action<IServiceMeshBuilder> configure) => TestNode.StartAsync(
        mesh => configure(mesh.AddInMemoryTransport().AddSerializer(new Choosy())), [("Serializer", "Choosy")]);

    public sealed class Refused;

    public sealed record Holder(Refused Inner);

    /// <summary>JSON for a few types, and none of them the bus's own.</summary>
    private sealed class Choosy : IMessageSerializer
    {
        private readonly JsonMessageSerializer _json = new();

        public string Name => "Choosy";

        public string ContentType => "text/choosy";

        public void EnsureSupported<T>()
        {
            if (typeof(T) == typeof(Refused) || typeof(T) == typeof(NodeInfo) || typeof(T) == typeof(ErrorReport))
            {
                throw new NotSupportedException($"{typeof(T).Name} is not for Choosy.");
            }
        }

        public void Serialize<T>(T value, IBufferWriter<byte> output) => _json.Serialize(value, output);

        public T? Deserialize<T>(ReadOnlyMemory<byte> body) => _json.Deserialize<T>(body);
    }

    private sealed class Refusing : IJsonTypeInfoResolver
    {
        public JsonTypeInfo? GetTypeInfo(Type type, System.Text.Json.JsonSerializerOptions options) =>
            type == typeof(Refused) ? throw new NotSupportedException("No contract for 'Refused'.") : null;
    }
}
