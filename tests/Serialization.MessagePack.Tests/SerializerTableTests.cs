using System.Collections.ObjectModel;
using System.Numerics;
using System.Reflection;
using System.Text.Json.Serialization;
using MessagePack;
using NUnit.Framework;

namespace ServiceMesh.MessagePack.Tests;

/// <summary>The table of docs/serialization.md that lists the types which only one serializer carries is what the serializers do.</summary>
public sealed class SerializerTableTests
{
    private static readonly Dictionary<string, Row> s_rows = new()
    {
        ["a type that is not public"] = new(typeof(NotPublic)),
        ["a type with public fields, such as `Vector3`"] = new(typeof(Vector3)),
        ["a `ValueTuple`"] = new(typeof((int, string))),
        ["a class with a private setter"] = new(typeof(PrivateSetter), typeof(JsonSetter), typeof(KeyedSetter)),
        ["a class with a collection that has no setter"] = new(typeof(NoSetter), typeof(Populated)),
        ["an interface or an abstract class"] = new(typeof(IBare), typeof(IJson), typeof(IUnion)),
        ["a dictionary whose keys are records or tuples"] = new(typeof(Dictionary<FormTests.Point, int>)),
        ["a set whose keys are records"] = new(typeof(HashSet<FormTests.Point>)),
        ["a set or a dictionary whose keys are `decimal`"] = new(typeof(Dictionary<decimal, int>)),
        ["a class that derives from `HashSet`, with keys that are not strings"] = new(typeof(OwnSet), typeof(OwnSafeSet)),
        ["a class that derives from `Dictionary`, with keys that are not strings"] =
            new(typeof(OwnTable), typeof(OwnSafeTable), typeof(OwnSafeTable)),
        ["a class that derives from `KeyedCollection`, with keys that are not strings"] = new(typeof(UnsupportedTypeTests.ByNumber)),
        ["`Int128`, `UInt128`"] = new(typeof(Int128)),
        ["`BigInteger`"] = new(typeof(BigInteger)),
        ["an array with several dimensions"] = new(typeof(int[,])),
        ["`Stack`"] = new(typeof(Stack<int>)),
        ["`ReadOnlyCollection`"] = new(typeof(ReadOnlyCollection<int>)),
        ["a class with two constructors, none marked"] = new(typeof(TwoConstructors)),
        ["a constructor parameter without a member of its name"] = new(typeof(UnsupportedTypeTests.Renamed)),
        ["a collection class with members of its own"] = new(typeof(BodyCheckTests.Page)),
        ["a delegate, `System.Type`"] = new(typeof(Action)),
    };

    private static readonly MethodInfo s_ensure = typeof(IMessageSerializer).GetMethod(nameof(IMessageSerializer.EnsureSupported))!;

    [Test]
    public void Each_row_of_the_document_is_what_the_serializers_do()
    {
        var table = Table();
        Assert.That(table.Keys, Is.EquivalentTo(s_rows.Keys));
        Assert.Multiple(() =>
        {
            foreach (var (name, (json, packed)) in table)
            {
                var row = s_rows[name];
                Check(new JsonMessageSerializer(), json, row.Type, row.JsonVariant, name);
                Check(new MessagePackMessageSerializer(), packed, row.Type, row.MessagePackVariant, name);
            }
        });
    }

    // "yes", "no: …" or "with …", where the plain type is refused and the variant is accepted.
    private static void Check(IMessageSerializer serializer, string cell, Type type, Type? variant, string row)
    {
        var isAccepted = cell.StartsWith("yes", StringComparison.Ordinal);
        Assert.That(Accepts(serializer, type), Is.EqualTo(isAccepted), $"{serializer.Name}: {row}");
        if (cell.StartsWith("with", StringComparison.Ordinal))
        {
            Assert.That(variant is not null && Accepts(serializer, variant), Is.True, $"{serializer.Name} with the remedy: {row}");
        }
        else
        {
            Assert.That(isAccepted || cell.StartsWith("no", StringComparison.Ordinal), Is.True, $"{row}: {cell}");
        }
    }

    private static bool Accepts(IMessageSerializer serializer, Type type)
    {
        try
        {
            s_ensure.MakeGenericMethod(type).Invoke(serializer, BindingFlags.DoNotWrapExceptions, null, null, null);
            return true;
        }
        catch (NotSupportedException)
        {
            return false;
        }
    }

    private static Dictionary<string, (string Json, string MessagePack)> Table()
    {
        var directory = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(directory.FullName, "ServiceMesh.sln")))
        {
            directory = directory.Parent!;
        }

        return File.ReadLines(Path.Combine(directory.FullName, "docs", "serialization.md"))
            .SkipWhile(line => !line.StartsWith("Some types work with one serializer only", StringComparison.Ordinal))
            .SkipWhile(line => !line.StartsWith("| ---", StringComparison.Ordinal))
            .Skip(1)
            .TakeWhile(line => line.StartsWith('|'))
            .Select(line => line.Trim('|').Split(" | "))
            .ToDictionary(cells => cells[0].Trim(), cells => (cells[1].Trim(), cells[2].Trim()));
    }

    private sealed record Row(Type Type, Type? JsonVariant = null, Type? MessagePackVariant = null);

    internal sealed record NotPublic(int A);

    public sealed class PrivateSetter
    {
        public int Kept { get; set; }

        public int A { get; private set; }

        public void Set(int a) => A = a;
    }

    public sealed class JsonSetter
    {
        [JsonInclude]
        public int A { get; private set; }
    }

    [MessagePackObject]
    public sealed class KeyedSetter
    {
        [Key(0)]
        public int A { get; private set; }

        public void Set(int a) => A = a;
    }

    public sealed class NoSetter
    {
        public int Kept { get; set; }

        public List<int> Items { get; } = [];
    }

    public sealed class Populated
    {
        [JsonObjectCreationHandling(JsonObjectCreationHandling.Populate)]
        public List<int> Items { get; } = [];
    }

    public interface IBare
    {
        int A { get; }
    }

    [JsonDerivedType(typeof(OneCase), "case")]
    public interface IJson;

    [Union(0, typeof(OneCase))]
    public interface IUnion;

    public sealed record OneCase(int A) : IJson, IUnion;

    public sealed class OwnSet : HashSet<int>;

    public sealed class OwnSafeSet(IEqualityComparer<int>? comparer) : HashSet<int>(comparer)
    {
        public OwnSafeSet()
            : this(null) { }
    }

    public sealed class OwnTable : Dictionary<long, int>;

    public sealed class OwnSafeTable(int capacity, IEqualityComparer<long>? comparer) : Dictionary<long, int>(capacity, comparer)
    {
        public OwnSafeTable()
            : this(0, null) { }
    }

    public sealed class TwoConstructors
    {
        public TwoConstructors(int a) => A = a;

        public TwoConstructors(string b) => A = b.Length;

        public int A { get; set; }
    }
}
