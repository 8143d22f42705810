using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using NUnit.Framework;

namespace ServiceMesh.Core.Tests;

public sealed class ContractDocumentTests
{
    [Test]
    public void The_document_has_each_topic_with_the_schemas_of_its_types()
    {
        var document = JsonNode.Parse(Contracts(mesh => mesh
            .AddHandler(new RequestTopic<Order, Receipt>("shop.order"), (order, _) => new Receipt(order.Lines.Length, null))
            .AddHandler(new SignalPattern<string?>("shop.log.*"), (string? _, HandlerContext _) => { })))!;

        Assert.Multiple(() =>
        {
            Assert.That(document["asyncapi"]!.ToString(), Is.EqualTo("3.0.0"));
            Assert.That(document["info"]!["title"]!.ToString(), Is.EqualTo("shop"));
            Assert.That(document["defaultContentType"]!.ToString(), Is.EqualTo("application/json"));
            Assert.That(document["channels"]!.AsObject().Select(c => c.Key), Is.EqualTo(["shop.log.*", "shop.order"]));
            var operation = document["operations"]!["shop.order"]!;
            Assert.That(operation["action"]!.ToString(), Is.EqualTo("receive"));
            Assert.That(operation["reply"]!["messages"]![0]!["$ref"]!.ToString(), Is.EqualTo("#/channels/shop.order/messages/reply"));
            var messages = document["channels"]!["shop.order"]!["messages"]!;
            var request = messages["request"]!["payload"]!;
            Assert.That(request["type"]!.ToJsonString(), Is.EqualTo("\"object\""), "the handler forbids null");
            Assert.That(request["required"]!.ToJsonString(), Is.EqualTo("""["Customer","Lines"]"""));
            Assert.That(request["properties"]!["Customer"]!.ToJsonString(), Is.EqualTo("""{"type":"string"}"""));
            var reply = messages["reply"]!["payload"]!;
            Assert.That(reply["properties"]!["Note"]!["type"]!.ToJsonString(), Is.EqualTo("""["string","null"]"""));
            var log = document["channels"]!["shop.log.*"]!["messages"]!["signal"]!["payload"]!;
            Assert.That(log["type"]!.ToJsonString(), Is.EqualTo("""["string","null"]"""), "the handler takes null");
        });
    }

    [Test]
    public void References_of_a_recursive_type_lead_to_their_place_in_the_document()
    {
        var document = JsonNode.Parse(Contracts(mesh => mesh.AddHandler(new SignalTopic<Tree>("a/b.c".Replace('/', '-')), (_, _) => { })))!;
        var text = document["channels"]!["a-b.c"]!["messages"]!["signal"]!["payload"]!["properties"]!["Kids"]!["items"]!["$ref"];
        Assert.That(text?.ToString(), Is.EqualTo("#/channels/a-b.c/messages/signal/payload"));
    }

    [Test]
    public void The_document_is_the_same_each_time_and_equal_contracts_have_no_changes()
    {
        static string Make() => Contracts(mesh => mesh
            .AddHandler(new RequestTopic<Tree, Animal>("b"), (_, _) => new Cat())
            .AddHandler(new RequestTopic<int, int>("a"), (number, _) => number));
        Assert.That(Make(), Is.EqualTo(Make()));
        Assert.That(ContractDocument.Compare(Make(), Make()), Is.Empty);
    }

    [Test]
    public void Handlers_of_one_pattern_with_other_types_are_messages_of_their_own()
    {
        var document = JsonNode.Parse(Contracts(mesh => mesh
            .AddHandler(new SignalTopic<int>("a"), (_, _) => { })
            .AddHandler(new SignalTopic<int>("a"), (_, _) => { })
            .AddHandler(new SignalTopic<long[]>("a"), (_, _) => { })))!;
        Assert.That(document["channels"]!["a"]!["messages"]!.AsObject().Select(m => m.Key), Is.EqualTo(["signal", "signal-2"]));
        Assert.That(document["operations"]!.AsObject().Select(o => o.Key), Is.EqualTo(["a", "a-signal-2"]));
    }

    [Test]
    public void Each_breaking_change_of_a_request_is_named()
    {
        AssertChange<V1, V1Renamed>(
            "a: request.Name: the member was removed, or renamed to 'Title'; what callers send in it is no longer read",
            "a: request.Title: a required member was added; callers that do not send it are refused");
        AssertChange<V1, V1WithRequired>("a: request.Extra: a required member was added; callers that do not send it are refused");
        AssertChange<V1, V1OtherType>("a: request.Count: the type was integer and is string");
        AssertChange<V1, V1NotNull>("a: request.Note: must not be null any longer; null is refused");
        AssertChange<V1, V1NoteRequired>("a: request.Note: is required now; callers that do not send it are refused");
        AssertChange<Wide, Narrow>("a: request.Number: the type was number and is integer");
        AssertChange<Kinds, FewerKinds>("a: request.Kind: the value \"B\" was removed; those who send it are refused");
        AssertChange<Numbered<Kind>, Numbered<FewerKind>>("a: request.Kind: the value 1 was removed; those who send it are refused");
        AssertChange<Numbered<Kind?>, Numbered<FewerKind?>>("a: request.Kind: the value 1 was removed; those who send it are refused");
        AssertChange<Numbered<Sides>, Numbered<FewerSides>>();
        AssertChange<IReadOnlyDictionary<int, Line>, IReadOnlyDictionary<int, OtherLine>>(
            "a: request{}.Amount: the type was integer and is string");
        AssertChange<Lines, OtherLines>("a: request.Items[].Amount: the type was integer and is string");
        AssertChange<Dictionary<string, int>, Dictionary<string, bool>>("a: request{}: the type was integer and is boolean");
        AssertChange<Animal, OnlyCats>("a: request: the type 'dog' of the hierarchy was removed");
        AssertChange<Tree, OtherTree>("a: request.Name: the type was string and is integer");
    }

    [Test]
    public void Each_breaking_change_of_a_reply_is_named()
    {
        AssertReplyChange<V1, V1Renamed>(
            "a: reply.Name: the member was removed, or renamed to 'Title'; callers no longer get it");
        AssertReplyChange<V1, V1OtherType>("a: reply.Count: the type was integer and is string");
        AssertReplyChange<V1NotNull, V1>("a: reply.Note: may be null now; callers that forbid null cannot read it");
        AssertReplyChange<Narrow, Wide>("a: reply.Number: the type was integer and is number");
        AssertReplyChange<FewerKinds, Kinds>("a: reply.Kind: the value \"B\" was added; callers that do not know it cannot read it");
        AssertReplyChange<OnlyCats, Animal>(
            "a: reply: the type 'dog' of the hierarchy was added; callers that do not know it cannot read it");
    }

    [Test]
    public void What_breaks_a_request_is_compatible_in_a_reply_and_the_reverse()
    {
        AssertReplyChange<V1, V1WithRequired>();
        AssertReplyChange<V1, V1NotNull>();
        AssertReplyChange<V1, V1NoteRequired>();
        AssertReplyChange<Wide, Narrow>();
        AssertReplyChange<Kinds, FewerKinds>();
        AssertReplyChange<Animal, OnlyCats>();
        AssertChange<V1NotNull, V1>();
        AssertChange<Narrow, Wide>();
        AssertChange<FewerKinds, Kinds>();
        AssertChange<OnlyCats, Animal>();
        AssertChange<V1, V1WithOptional>();
        AssertReplyChange<V1, V1WithOptional>();
        AssertChange<V1, V1OtherCase>();
    }

    [Test]
    public void A_removed_topic_breaks_and_an_added_one_does_not()
    {
        var (one, two) = (Handling<int, int>("a"), Contracts(mesh => mesh
            .AddHandler(new RequestTopic<int, int>("a"), (number, _) => number)
            .AddHandler(new RequestTopic<int, int>("b"), (number, _) => number)));
        Assert.That(Breaking(two, one), Is.EqualTo(["b: the topic was removed; those who call it find no handler"]));
        Assert.That(Breaking(one, two), Is.Empty);
        Assert.That(ContractDocument.Compare(one, two).Single(), Is.EqualTo(new ContractChange("b", "", "the topic was added", false)));
        var signal = Contracts(mesh => mesh.AddHandler(new SignalTopic<int>("a"), (_, _) => { }));
        Assert.That(Breaking(one, signal), Is.EqualTo(["a: request: the request was removed", "a: reply: the reply was removed"]));
    }

    [TestCase("not json")]
    [TestCase("{}")]
    [TestCase("[]")]
    [TestCase("""{"asyncapi":"3.0.0"}""")]
    public void A_text_that_is_not_a_document_is_refused(string text) =>
        Assert.That(
            () => ContractDocument.Compare(text, Handling<int, int>("a")),
            Throws.TypeOf<FormatException>().With.Message.Contains("The older document of contracts"));

    [Test]
    public async Task The_command_writes_one_file_for_each_bus_and_ends_the_process()
    {
        var folder = Path.Combine(Path.GetTempPath(), $"servicemesh-contracts-{Guid.NewGuid():N}");
        Directory.CreateDirectory(folder);
        try
        {
            var (output, codes) = (new StringWriter(), new List<int>());
            using var services = Command(Path.Combine(folder, "contracts.json"));
            await new ContractsCommand(services, output, codes.Add).StartingAsync(default);

            Assert.That(codes, Is.EqualTo([0]), output.ToString());
            Assert.That(
                await File.ReadAllTextAsync(Path.Combine(folder, "contracts.json")), Is.EqualTo(services.GetServiceMeshContracts()));
            Assert.That(await File.ReadAllTextAsync(Path.Combine(folder, "contracts.orders.json")), Does.Contain("orders.add"));
            Assert.That(output.ToString(), Does.Contain("contracts.orders.json"));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Test]
    public async Task The_command_that_cannot_write_ends_with_1_and_the_reason()
    {
        var (output, codes) = (new StringWriter(), new List<int>());
        using var services = Command("/dev/null/contracts.json");
        await new ContractsCommand(services, output, codes.Add).StartingAsync(default);
        Assert.That(codes, Is.EqualTo([1]));
        Assert.That(output.ToString(), Does.Contain("--servicemesh-contracts /dev/null/contracts.json: "));
    }

    [Test]
    public async Task Without_the_argument_the_command_does_nothing()
    {
        using var services = Command(null);
        await new ContractsCommand(services, TextWriter.Null, _ => Assert.Fail("ended")).StartingAsync(default);
    }

    [Test]
    public void A_bus_that_does_not_exist_is_named()
    {
        using var services = new ServiceCollection().BuildServiceProvider();
        Assert.That(
            () => services.GetServiceMeshContracts(), Throws.InvalidOperationException.With.Message.Contains("call AddServiceMesh"));
        Assert.That(
            () => services.GetServiceMeshContracts("x"), Throws.InvalidOperationException.With.Message.Contains("no bus with the key 'x'"));
    }

    private static ServiceProvider Command(string? file)
    {
        var services = new ServiceCollection();
        services.AddSingleton<IConfiguration>(
            new ConfigurationBuilder().AddCommandLine(file is null ? [] : ["--servicemesh-contracts", file]).Build());
        services.AddServiceMesh().AddInMemoryTransport().AddHandler(new RequestTopic<int, int>("a"), (number, _) => number);
        services.AddServiceMesh("orders").AddInMemoryTransport().AddHandler(new SignalTopic<int>("orders.add"), (_, _) => { });
        return services.BuildServiceProvider();
    }

    private static void AssertChange<TOld, TNew>(params string[] breaking) =>
        Assert.That(Breaking(Handling<TOld, int>("a"), Handling<TNew, int>("a")), Is.EqualTo(breaking));

    private static void AssertReplyChange<TOld, TNew>(params string[] breaking) =>
        Assert.That(Breaking(Handling<int, TOld>("a"), Handling<int, TNew>("a")), Is.EqualTo(breaking));

    private static IEnumerable<string> Breaking(string committed, string current) =>
        ContractDocument.Compare(committed, current).Where(c => c.IsBreaking).Select(c => c.ToString());

    private static string Handling<TIn, TOut>(string topic) =>
        Contracts(mesh => mesh.AddHandler(new RequestTopic<TIn, TOut>(topic), Task<TOut> (_, _) => throw new NotSupportedException()));

    private static string Contracts(Action<IServiceMeshBuilder> configure)
    {
        var services = new ServiceCollection();
        configure(services.AddServiceMesh(options => options.NodeName = "shop").AddInMemoryTransport());
        using var provider = services.BuildServiceProvider();
        return provider.GetServiceMeshContracts();
    }

    public sealed record Order(string Customer, string[] Lines);

    public sealed record Receipt(int Number, string? Note);

    public sealed record Tree(string Name, Tree[] Kids);

    public sealed record OtherTree(int Name, OtherTree[] Kids);

    public sealed record V1(string Name, int Count, string? Note = null);

    public sealed record V1Renamed(string Title, int Count, string? Note = null);

    public sealed record V1WithRequired(string Name, int Count, int Extra, string? Note = null);

    public sealed record V1WithOptional(string Name, int Count, string? Note = null, int Extra = 1);

    public sealed record V1OtherType(string Name, string Count, string? Note = null);

    public sealed record V1NotNull(string Name, int Count, string Note = "");

    public sealed record V1NoteRequired(string Name, int Count, string? Note);

#pragma warning disable IDE1006 // The test is about names in another case.
    public sealed record V1OtherCase(string name, int count, string? note = null);
#pragma warning restore IDE1006

    public sealed record Wide(double Number);

    public sealed record Narrow(int Number);

    public sealed record Kinds([property: JsonConverter(typeof(JsonStringEnumConverter<Kind>))] Kind Kind);

    public sealed record FewerKinds([property: JsonConverter(typeof(JsonStringEnumConverter<FewerKind>))] FewerKind Kind);

    public enum Kind
    {
        A,
        B,
    }

    public enum FewerKind
    {
        A,
    }

    public sealed record Numbered<T>(T Kind);

    [Flags]
    public enum Sides
    {
        None,
        A,
        B,
    }

    [Flags]
    public enum FewerSides
    {
        None,
        A,
    }

    public sealed record Lines(Line[] Items);

    public sealed record Line(int Amount);

    public sealed record OtherLines(OtherLine[] Items);

    public sealed record OtherLine(string Amount);

    [JsonDerivedType(typeof(Cat), "cat")]
    [JsonDerivedType(typeof(Dog), "dog")]
    public abstract record Animal;

    public sealed record Cat : Animal;

    public sealed record Dog : Animal;

    [JsonDerivedType(typeof(OnlyCat), "cat")]
    public abstract record OnlyCats;

    public sealed record OnlyCat : OnlyCats;
}
