using System.Collections.Concurrent;
using System.Collections.ObjectModel;
using System.Net;
using System.Numerics;
using System.Text.Json.Serialization;
using NUnit.Framework;

namespace ServiceMesh.Core.Tests;

/// <summary>A type that would arrive changed is refused before its first message.</summary>
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
public sealed class LossyTypeTests
{
    private readonly JsonMessageSerializer _json = new();

    [Test]
    public void Types_that_lose_data_are_refused_with_type_member_and_remedy()
    {
        AssertRefused<Vector3>("JSON cannot carry Vector3. Vector3 has a public field 'X', and fields do not travel", "[JsonInclude]");
        AssertRefused<(int, string)>("ValueTuple<Int32, String> has a public field 'Item1'", "IncludeFields");
        AssertRefused<FieldsOnly>("FieldsOnly has a public field 'Value'", "property");
        AssertRefused<OneField>("OneField has a public field 'Lost'", "[JsonInclude]");
        AssertRefused<GetOnlyList>("GetOnlyList has a collection 'Items' without a setter", "arrives empty", "Populate");
        AssertRefused<GetOnly>("GetOnly has a member 'Name' without a setter", "constructor parameter");
        AssertRefused<PrivateSetter>("PrivateSetter has a member 'Name' with a setter that is not public", "[JsonInclude]");
        AssertRefused<OnlyPrivate>("OnlyPrivate has no member that is both written and read", "use Unit");
        AssertRefused<Renamed>("Renamed has a constructor parameter 'a' without a member of its name", "Name the parameter");
        AssertRefused<TwoConstructors>("TwoConstructors does not have a constructor that JSON can use", "[JsonConstructor]");
        AssertRefused<Page>("Page is a collection, and its member 'Total' does not travel", "Put the collection into a member");
        AssertRefused<Clash>("Clash is refused by System.Text.Json", "without regard to case");
        AssertRefused<BigInteger>("BigInteger has no member that is both written and read");
        AssertRefused<Exception>("Exception");
        AssertRefused<IPAddress>("IPAddress does not have a constructor");
        AssertRefused<Lazy<int>>("Lazy<Int32> has no member");
    }

    [Test]
    public void Collections_that_can_only_be_written_are_refused()
    {
        AssertRefused<ReadOnlyCollection<int>>("can be written as JSON and not be read");
        AssertRefused<Stack<int>>("arrives in reverse order", "Use a list");
        AssertRefused<ConcurrentStack<int>>("arrives in reverse order");
        AssertRefused<System.Collections.Immutable.ImmutableStack<int>>("arrives in reverse order");
        AssertRefused<IAsyncEnumerable<int>>("is read as a stream");
        AssertRefused<Dictionary<Good, int>>("has keys of type Good", "list of pairs");
        AssertRefused<int[,]>("Int32[,] is not known to System.Text.Json");
        AssertRefused<System.Collections.Specialized.NameValueCollection>("not be read");
    }

    [Test]
    public void Code_and_types_are_refused()
    {
        AssertRefused<Action>("Action is a delegate");
        AssertRefused<Type>("Type is a type, and a body from outside must not choose types");
        AssertRefused<IThing>("IThing is an interface", "[JsonDerivedType]");
        AssertRefused<Stream>("Stream is an abstract class");
    }

    [Test]
    public void A_refused_type_inside_another_is_named_with_the_member_that_leads_to_it()
    {
        AssertRefused<Outer>("JSON cannot carry Outer, because of its member Inner.Items.Where. Vector3 has a public field 'X'");
        AssertRefused<List<Outer>>("JSON cannot carry List<Outer>, because of its member Inner.Items.Where.");
        AssertRefused<Dictionary<string, Vector3?>>("Vector3 has a public field");
        AssertRefused<Hierarchy>("JSON cannot carry Hierarchy. FieldsOnly2 has a public field");
    }

    [Test]
    public void Types_that_arrive_unchanged_are_accepted()
    {
        Accept<Good>();
        Accept<Marker>();
        Accept<Unit>();
        Accept<Computed>();
        Accept<Ignoring>();
        Accept<Included>();
        Accept<Populated>();
        Accept<Tuple<int, string>>();
        Accept<KeyValuePair<int, string>>();
        Accept<Dictionary<DayOfWeek, List<int[]>>>();
        Accept<IReadOnlyList<IReadOnlyDictionary<Guid, ISet<string>>>>();
        Accept<System.Collections.Immutable.ImmutableArray<int>>();
        Accept<object>();
        Accept<System.Text.Json.Nodes.JsonNode>();
        Accept<System.Text.Json.JsonElement>();
        Accept<Memory<byte>>();
        Accept<ReadOnlyMemory<int>>();
        Accept<Uri>();
        Accept<Version>();
        Accept<Int128>();
        Accept<DateOnly?>();
        Accept<Queue<int>>();
        Accept<NodeInfo>();
        Accept<ErrorReport>();
        Accept<Selfish>();
    }

    [Test]
    public void Fields_are_accepted_where_the_options_include_them()
    {
        var json = new JsonMessageSerializer(new() { IncludeFields = true });
        json.EnsureSupported<Vector3>();
        json.EnsureSupported<(int, string)>();
    }

    private void Accept<T>() => Assert.That(_json.EnsureSupported<T>, Throws.Nothing, TypeWords.Name(typeof(T)));

    private void AssertRefused<T>(params string[] said)
    {
        var refusal = Assert.Throws<NotSupportedException>(_json.EnsureSupported<T>, TypeWords.Name(typeof(T)))!;
        Assert.Multiple(() => Array.ForEach(said, part => Assert.That(refusal.Message, Does.Contain(part))));
    }

    internal sealed record Good(string Name, int Number);

    internal sealed record Marker;

    internal sealed class FieldsOnly
    {
        public int Value = 1;
    }

    internal sealed class OneField
    {
        public int Kept { get; set; }

        public int Lost = 1;
    }

    internal sealed class GetOnlyList
    {
        public int Kept { get; set; }

        public List<int> Items { get; } = [];
    }

    internal sealed class GetOnly
    {
        public int Kept { get; set; }

        public string Name { get; } = "";
    }

    internal sealed class PrivateSetter
    {
        public int Kept { get; set; }

        public string Name { get; private set; } = "";

        public void Rename(string name) => Name = name;
    }

    internal sealed class OnlyPrivate
    {
        private readonly List<int> _items = [];

        public int Count => _items.Count;
    }

    internal sealed class Renamed(int a)
    {
        public int Value => a;
    }

    internal sealed class TwoConstructors
    {
        public TwoConstructors(int a) => A = a;

        public TwoConstructors(string b) => A = b.Length;

        public int A { get; set; }
    }

    internal sealed class Page : List<int>
    {
        public int Total { get; set; }
    }

    internal sealed class Clash
    {
        public int Id { get; set; }

        public int ID { get; set; }
    }

    internal interface IThing
    {
        int Value { get; }
    }

    internal sealed record Outer(Inner Inner);

    internal sealed record Inner(Place[] Items);

    internal sealed record Place(Vector3 Where);

    [JsonDerivedType(typeof(FieldsOnly2), "f")]
    internal abstract class Hierarchy;

    internal sealed class FieldsOnly2 : Hierarchy
    {
        public int Value = 1;
    }

    internal sealed record Computed(int Width, int Height)
    {
        public int Area => Width * Height;
    }

    internal sealed class Ignoring
    {
        public int Kept { get; set; }

        [JsonIgnore]
        public int Field = 1;

        [JsonIgnore]
        public string Cached { get; } = "";
    }

    internal sealed class Included
    {
        [JsonInclude]
        public int Field = 1;

        [JsonInclude]
        public string Name { get; private set; } = "";
    }

    internal sealed class Populated
    {
        [JsonObjectCreationHandling(JsonObjectCreationHandling.Populate)]
        public List<int> Items { get; } = [];
    }

    internal sealed record Selfish(Selfish? Next, List<Selfish>? All);
}
