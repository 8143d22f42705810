using System.Collections;
using System.Collections.ObjectModel;
using System.Collections.Specialized;
using System.Numerics;
using MessagePack;
using MessagePack.Formatters;
using MessagePack.Resolvers;
using Microsoft.Extensions.DependencyInjection;
using NUnit.Framework;
using NUnit.Framework.Constraints;
using ServiceMesh.Support;

namespace ServiceMesh.MessagePack.Tests;

/// <summary>A type that MessagePack cannot serialize is refused before its first message, with the type and what to do.</summary>
public sealed class UnsupportedTypeTests
{
    private readonly MessagePackMessageSerializer _packed = new();

    [Test]
    public void Each_kind_of_unsupported_type_is_named_with_the_remedy()
    {
        AssertRefused<Action>("Action is a delegate", "[IgnoreMember]");
        AssertRefused<IAnimal>("IAnimal is an interface", "[Union]");
        AssertRefused<Animal>("Animal is abstract", "[Union]");
        AssertRefused<GetOnly>("GetOnly has no public member", "setters");
        AssertRefused<Int128>("Int128 has no public member", "setters");
        AssertRefused<Internal>("Internal is not public", "Make it public, or mark it with [MessagePackObject]");
        AssertRefused<Leaking>("Leaking is not public, and its private member '_secret' would be written", "[IgnoreMember]");
        AssertRefused<HalfMarked>("must mark KeyAttribute or IgnoreMemberAttribute", "member:B");
        AssertRefused<Renamed>("can't find matched constructor", "docs/serialization.md");
        AssertRefused<Type>("Type is a type, and a body from outside must not choose types", "as a string");
        AssertRefused<IHiddenUnion>("IHiddenUnion has [Union], and IHiddenUnion is not public", "must be public");
        AssertRefused<IVisibleUnion>("IVisibleUnion has [Union], and HiddenCase is not public", "must be public");
    }

    [Test]
    public void A_part_that_cannot_be_serialized_is_named_by_its_member()
    {
        AssertRefused<Order>("cannot serialize Order, because of its member Lines.Callback. Action is a delegate", "[IgnoreMember]");
        AssertRefused<List<Internal>>("cannot serialize List<Internal>. Internal is not public", "Make it public");
        AssertRefused<Dictionary<string, Internal[]>>("Internal is not public", "Make it public");
        AssertRefused<(int, Internal?)>("Internal is not public", "Make it public");
        AssertRefused<IUnionWithAction>("because of its member Callback. Action is a delegate", "[IgnoreMember]");
        AssertRefused<KeyedWithAction>("because of its member Callback. Action is a delegate", "[IgnoreMember]");
    }

    [Test]
    public void Keys_without_a_hash_that_resists_collisions_are_refused()
    {
        AssertRefused<Dictionary<FormTests.Point, int>>(
            "has keys of type Point, whose hash does not resist collisions", "send a list of pairs");
        AssertRefused<HashSet<(int, int)>>("has keys of type ValueTuple<Int32, Int32>", "a Guid, a date or a time");
        AssertRefused<OwnNumbers>("is a table that MessagePack fills without a hash that resists collisions", "HashSet");
        AssertRefused<OwnTable>(
            "is a table that MessagePack fills without a hash",
            "a public constructor with the parameters int and IEqualityComparer<Int64>");
        AssertRefused<HybridDictionary>("HybridDictionary is a table that MessagePack fills without a hash", "int and IEqualityComparer.");
        AssertRefused<ListDictionary>("ListDictionary is a table that MessagePack fills without a hash", "Use Dictionary or Hashtable");
        AssertRefused<OwnHashtable>("OwnHashtable is a table that MessagePack fills without a hash", "int and IEqualityComparer.");
        AssertRefused<ByNumber>("ByNumber finds its items by keys of type Int32", "Use a string as the key");
        AssertRefused<ByNumberOf<string>>("ByNumberOf<String> finds its items by keys of type Int32", "Use a string as the key");
        Assert.That(_packed.Back(new Hashtable { ["a"] = "b" })!["a"], Is.EqualTo("b"), "MessagePack gives it a hash");
        Assert.That(_packed.Back(new ByText { "a" })!["a"], Is.EqualTo("a"), "the hash of a string differs in each process");
        Assert.That(_packed.Back(new SortedSet<FormTests.Point>()), Is.Empty, "a sorted set has no hash");
        Assert.That(_packed.Back(new OwnTexts { "a" }), Is.EqualTo(["a"]), "the hash of a string differs in each process");
    }

    [Test]
    public void A_typeless_formatter_of_the_resolver_is_refused_for_each_type()
    {
        var packed = new MessagePackMessageSerializer(new() { Resolver = new TypelessPoints() });
        Assert.That(packed.EnsureSupported<FormTests.Point>, Refusal("Point has a typeless formatter"));
        Assert.That(packed.EnsureSupported<List<FormTests.Point>>, Refusal("Point has a typeless formatter"));

        static IResolveConstraint Refusal(string text) => Throws.TypeOf<NotSupportedException>().With.Message.Contains(text);
    }

    [Test]
    public void A_typeless_formatter_that_an_attribute_names_is_refused()
    {
        AssertRefused<TypelessMember>("because of its member Any. Object has a typeless formatter", "[Union]");
        AssertRefused<TypelessKey>("because of its member Point. Point has a typeless formatter", "[Union]");
        AssertRefused<List<TypelessMember>>("because of its member Any. Object has a typeless formatter", "[Union]");
        AssertRefused<TypelessType>("TypelessType has a typeless formatter", "[Union]");
    }

    [Test]
    [CancelAfter(60_000)]
    public void A_generic_type_that_grows_without_end_is_refused()
    {
        AssertRefused<Expanding<int>>("Expanding<Int32>", "too long"); // the library has a limit for names
        AssertRefused<HiddenExpanding<int>>("is a generic type of more than 64 types", "other type arguments");
        AssertRefused<HiddenDoubling<int, int>>("is a generic type of more than 64 types", "other type arguments");
    }

    [Test]
    public void A_member_that_names_a_formatter_or_is_ignored_may_have_any_type() =>
        Assert.That(_packed.Back(new Excused { A = 1, Ignored = () => { } })!.A, Is.EqualTo(1));

    [Test]
    public void A_type_that_the_resolver_of_the_application_cannot_build_is_refused_too()
    {
        var packed = new MessagePackMessageSerializer(new() { Resolver = ContractlessStandardResolver.Instance });
        Assert.That(
            packed.EnsureSupported<Internal>,
            Throws.TypeOf<NotSupportedException>()
                .With.Message.Contains("only allows public type").And.Message.Contains("docs/serialization.md"));
        Assert.That(
            packed.EnsureSupported<Order>,
            Throws.TypeOf<NotSupportedException>().With.Message.Contains("cannot serialize Order, because of its member Lines.Callback"));
        Assert.That(packed.EnsureSupported<Type[]>, Throws.TypeOf<NotSupportedException>().With.Message.Contains("must not choose types"));
    }

    [Test]
    public void A_value_of_type_object_is_refused_when_it_is_written() =>
        Assert.That(
            () => _packed.Bytes<object>(new object[] { new Internal { A = 1 } }),
            Throws.InstanceOf<NotSupportedException>().With.Message.Contains("Internal is not public"));

    [Test]
    public void A_value_that_cannot_be_written_is_refused_with_its_type()
    {
        var packed = new MessagePackMessageSerializer(new() { Resolver = new Failing() });
        Assert.That(
            () => packed.Bytes(5),
            Throws.TypeOf<NotSupportedException>()
                .With.Message.EqualTo("A value of type Int32 cannot be written as MessagePack. No numbers today."));
        Assert.That(
            () => _packed.Bytes(new Throwing()), Throws.TypeOf<InvalidTimeZoneException>(), "an exception of a member is not wrapped");
    }

    [Test]
    public async Task A_handler_of_such_a_type_is_refused_at_start()
    {
        var topic = new RequestTopic<Order, string>("unsupported.order");
        var failure = await StartFailureAsync(mesh => mesh.AddHandler(topic, (_, _) => ""));
        Assert.That(failure, Does.Contain("request handler delegate on 'unsupported.order'").And.Contains("[IgnoreMember]"));
        Assert.That(failure, Does.Contain("cannot serialize Order, because of its member Lines.Callback"));
        var answer = new RequestTopic<string, IAnimal>("unsupported.answer");
        failure = await StartFailureAsync(mesh => mesh.AddHandler(answer, IAnimal (_, _) => new Cat()));
        Assert.That(failure, Does.Contain("'unsupported.answer'").And.Contains("IAnimal is an interface"));
        var signal = new SignalTopic<Internal>("unsupported.signal");
        failure = await StartFailureAsync(mesh => mesh.AddHandler(signal, (_, _) => { }));
        Assert.That(failure, Does.Contain("'unsupported.signal'").And.Contains("Internal is not public"));
    }

    [Test]
    public async Task A_handler_of_such_a_type_is_refused_when_it_subscribes()
    {
        await using var node = await StartAsync(_ => { });
        Assert.That(
            async () => await node.Bus.SubscribeAsync(new SignalTopic<Internal>("unsupported.signal"), (_, _) => Task.CompletedTask),
            Throws.TypeOf<NotSupportedException>()
                .With.Message.Contains("'unsupported.signal'").And.Message.Contains("Internal is not public"));
        Assert.That(node.Bus.DescribeNode().Subscriptions.Select(s => s.Pattern), Does.Not.Contain("unsupported.signal"));
    }

    [Test]
    public async Task A_topic_of_such_a_type_is_refused_when_it_is_called_and_nothing_is_sent()
    {
        var calls = 0;
        await using var node = await StartAsync(mesh => mesh.AddHandler(new RequestTopic<string, string>("unsupported.ask"), (text, _) =>
        {
            calls++;
            return text;
        }));

        Assert.That(
            async () => await node.Bus.TryRequestAsync(new RequestTopic<Internal, string>("unsupported.ask"), new Internal()),
            Throws.TypeOf<NotSupportedException>().With.Message.Contains("Internal is not public"));
        Assert.That(
            async () => await node.Bus.TryRequestAsync(new RequestTopic<string, Internal>("unsupported.ask"), ""),
            Throws.TypeOf<NotSupportedException>().With.Message.Contains("Internal is not public"));
        Assert.That(
            async () => await node.Bus.SignalAsync(new SignalTopic<Internal>("unsupported.news"), new Internal()),
            Throws.TypeOf<NotSupportedException>().With.Message.Contains("Internal is not public"));
        Assert.That(calls, Is.Zero);
    }

    [Test]
    public async Task A_type_that_only_the_callers_serializer_refuses_is_not_a_bad_request()
    {
        // The service uses JSON, which supports the type; the caller uses MessagePack, which does not.
        var network = new InMemoryNetwork();
        var calls = 0;
        await using var service = await TestNode.StartAsync(
            mesh => mesh.AddInMemoryTransport(network).AddMessagePackSerializer()
                .AddHandler(new RequestTopic<Internal, string>("unsupported.ask"), (_, _) => $"{++calls}"));
        await using var caller = await TestNode.StartAsync(
            mesh => mesh.AddInMemoryTransport(network).AddMessagePackSerializer(), [("Serializer", "MessagePack")]);

        var points = new RequestTopic<FormTests.Point, string>("unsupported.ask");
        var reply = await caller.Bus.TryRequestAsync(points, new FormTests.Point(1, 2));

        Assert.That((reply.Status, reply.Failure!.NotProcessed, calls), Is.EqualTo((StatusCode.HandlerFailed, true, 0)));
        Assert.That(reply.Failure.Message, Does.Contain("cannot be called with 'application/msgpack'"));
        Assert.That(reply.Failure.Message, Does.Contain("Internal is not public"));
    }

    private void AssertRefused<T>(string reason, string remedy)
    {
        Assert.That(
            _packed.EnsureSupported<T>,
            Throws.TypeOf<NotSupportedException>().With.Message.Contains(reason).And.Message.Contains(remedy),
            typeof(T).ToString());
        Assert.That(
            () => _packed.Deserialize<T>(new byte[] { 0x80 }), Throws.TypeOf<NotSupportedException>(), "the type is refused, not the body");
    }

    private static async Task<string> StartFailureAsync(Action<IServiceMeshBuilder> configure)
    {
        try
        {
            await using var node = await StartAsync(configure);
            return "It started.";
        }
        catch (NotSupportedException refusal)
        {
            return refusal.Message;
        }
    }

    private static Task<TestNode> StartAsync(Action<IServiceMeshBuilder> configure) => TestNode.StartAsync(
        mesh => configure(mesh.AddInMemoryTransport().AddMessagePackSerializer()), [("Serializer", "MessagePack")]);

    public interface IAnimal;

    public sealed record Cat : IAnimal
    {
        public string Name { get; init; } = "";
    }

    public abstract class Animal
    {
        public string Name { get; set; } = "";
    }

    public sealed class GetOnly
    {
        public List<int> Items { get; } = [];

        public int Count { get; private set; }

        public void Add(int item) => Items.Add(Count = item);
    }

    internal sealed class Internal
    {
        public int A { get; set; }
    }

    [MessagePackObject(keyAsPropertyName: true)]
    internal sealed class Leaking
    {
        private readonly string _secret = "s";

        public string A => _secret;
    }

    [MessagePackObject]
    public sealed class HalfMarked
    {
        [Key(0)]
        public int A { get; set; }

        public int B { get; set; }
    }

    public sealed class Renamed(int a)
    {
        public int Value { get; set; } = a;
    }

    [Union(0, typeof(HiddenCase))]
    internal interface IHiddenUnion;

    [Union(0, typeof(HiddenCase))]
    public interface IVisibleUnion;

    [MessagePackObject]
    internal sealed class HiddenCase : IHiddenUnion, IVisibleUnion
    {
        [Key(0)]
        public int A { get; set; }
    }

    public sealed class Order
    {
        public List<Line> Lines { get; set; } = [];
    }

    public sealed class Line
    {
        public Action? Callback { get; set; }

        public Order? Order { get; set; }
    }

    [Union(0, typeof(CaseWithAction))]
    public interface IUnionWithAction;

    public sealed class CaseWithAction : IUnionWithAction
    {
        public Action? Callback { get; set; }
    }

    [MessagePackObject]
    public sealed class KeyedWithAction
    {
        [Key(0)]
        public Action? Callback { get; set; }
    }

    public sealed class OwnNumbers : HashSet<int>;

    public sealed class OwnTable : Dictionary<long, int>;

    public sealed class OwnTexts : HashSet<string>;

#pragma warning disable CA1010 // The test is about tables that are not generic.
    public sealed class OwnHashtable : Hashtable;
#pragma warning restore CA1010

    public sealed class ByNumber : KeyedCollection<int, string>
    {
        protected override int GetKeyForItem(string item) => item.Length;
    }

    public sealed class ByNumberOf<T> : KeyedCollection<int, T>
        where T : class
    {
        protected override int GetKeyForItem(T item) => item.GetHashCode();
    }

    public sealed class ByText : KeyedCollection<string, string>
    {
        protected override string GetKeyForItem(string item) => item;
    }

    public sealed class Expanding<T>
    {
        public Expanding<Expanding<T>>? Next { get; set; }
    }

    [MessagePackObject]
    internal sealed class HiddenExpanding<T>
    {
        [Key(0)]
        public HiddenExpanding<HiddenExpanding<T>>? Next { get; set; }
    }

    [MessagePackObject]
    internal sealed class HiddenDoubling<T, TOther>
    {
        [Key(0)]
        public HiddenDoubling<HiddenDoubling<T, TOther>, HiddenDoubling<T, TOther>>? Next { get; set; }
    }

    public sealed class TypelessMember
    {
        [MessagePackFormatter(typeof(TypelessFormatter))]
        public object? Any { get; set; }
    }

    [MessagePackObject]
    public sealed class TypelessKey
    {
        [Key(0)]
        [MessagePackFormatter(typeof(ForceTypelessFormatter<FormTests.Point>))]
        public FormTests.Point? Point { get; set; }
    }

    [MessagePackFormatter(typeof(ForceTypelessFormatter<TypelessType>))]
    public sealed class TypelessType;

    private sealed class TypelessPoints : IFormatterResolver
    {
        public IMessagePackFormatter<T>? GetFormatter<T>() =>
            typeof(T) == typeof(FormTests.Point) ? (IMessagePackFormatter<T>)(object)new ForceTypelessFormatter<T>() : null;
    }

    public sealed class Excused
    {
        public int A { get; set; }

        [IgnoreMember]
        public Action? Ignored { get; set; }

        [MessagePackFormatter(typeof(IgnoreFormatter<Vector<int>>))]
        public Vector<int> Formatted { get; set; }
    }

    public sealed class Throwing
    {
        private int? _a;

        public int A
        {
            get => _a ?? throw new InvalidTimeZoneException();
            set => _a = value;
        }
    }

    private sealed class Failing : IFormatterResolver, IMessagePackFormatter<int>
    {
        public IMessagePackFormatter<T>? GetFormatter<T>() => this as IMessagePackFormatter<T>;

        public void Serialize(ref MessagePackWriter writer, int value, MessagePackSerializerOptions options) =>
            throw new MessagePackSerializationException("No numbers today.");

        public int Deserialize(ref MessagePackReader reader, MessagePackSerializerOptions options) => 0;
    }
}
