using System.Reflection;
using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;

namespace ServiceMesh;

/// <summary>A contract of an object, prepared: what is written, what is read, and how the object is made.</summary>
internal sealed class ObjectLayout<T>
{
    /// <summary>What <see cref="FindKey"/> says of a key that is neither a string nor an integer.</summary>
    public const int NoName = -2;

    private readonly JsonTypeInfo _contract;
    private readonly bool _ignoresCase;
    private readonly ulong[] _required;

    public ObjectLayout(CodecSet codecs, JsonTypeInfo contract)
    {
        _contract = contract;
        var options = codecs.Options;
        IsTuple = contract.Type.IsAssignableTo(typeof(ITuple));
        var properties = contract.Properties.Where(p => !p.IsExtensionData).ToArray();
        Known = [.. properties.Select(p => codecs.MemberOf<T>(contract, p))];
        Written = [.. Known.Where(m => m.IsWritten)];
        Unknown = contract.Properties.FirstOrDefault(p => p.IsExtensionData) is { } extension ? new(codecs, extension) : null;
        IsConditional = Unknown is not null || Written.Any(m => m.IsConditional);
        AllowDuplicates = options.AllowDuplicateProperties;
        RefusesUnknown = (contract.UnmappedMemberHandling ?? options.UnmappedMemberHandling) == JsonUnmappedMemberHandling.Disallow;
        _ignoresCase = options.PropertyNameCaseInsensitive;
        _required = Marks(properties, p => p.IsRequired
            || (options.RespectRequiredConstructorParameters && p.AssociatedParameter is { HasDefaultValue: false, IsMemberInitializer: false }));
        JsonForm = codecs.IsMadeByJson(contract) ? JsonForm.Of(codecs.JsonContract(contract.Type)) : null;
        (Create, Construct) = Making(codecs, contract, properties);
        AssignedLater = [.. Enumerable.Range(0, Known.Length).Where(i => properties[i].AssociatedParameter is null or { IsMemberInitializer: true } && Known[i].IsRead)];
        OnSerializing = contract.OnSerializing;
        OnSerialized = contract.OnSerialized;
        OnDeserializing = contract.OnDeserializing;
        OnDeserialized = contract.OnDeserialized;
    }

    public string TypeName => _contract.Type.Name;

    public bool IsTuple { get; }

    /// <summary>Every member by its name, read or not, in the order of the contract.</summary>
    public Member<T>[] Known { get; }

    public Member<T>[] Written { get; }

    /// <summary>Whether it has to be asked which members are written.</summary>
    public bool IsConditional { get; }

    /// <summary>Where members go that the contract does not name; null: nowhere.</summary>
    public ExtensionData? Unknown { get; }

    public bool AllowDuplicates { get; }

    public bool RefusesUnknown { get; }

    /// <summary>Not null where JSON makes the object.</summary>
    public JsonForm? JsonForm { get; }

    public Func<T> Create { get; }

    /// <summary>Not null for a constructor that needs what the body says.</summary>
    public Constructor<T>? Construct { get; }

    /// <summary>The members that are set after such a constructor.</summary>
    public int[] AssignedLater { get; }

    public Action<object>? OnSerializing { get; }

    public Action<object>? OnSerialized { get; }

    public Action<object>? OnDeserializing { get; }

    public Action<object>? OnDeserialized { get; }

    public Slot[] MakeSlots() => [.. Known.Select(m => m.MakeSlot())];

    /// <summary>Reads a key. Bodies mostly have the members in the order of the contract, so the expected one is tried first.</summary>
    /// <returns>Which member it is, or −1 with its name, or <see cref="NoName"/>.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public int FindKey(ref MessagePackReader reader, int expected, out ReadOnlySpan<byte> name)
    {
        name = default;
        return expected < Known.Length && reader.TryReadRaw(Known[expected].Key) ? expected : SearchKey(ref reader, expected, out name);
    }

    /// <summary>The names of the required members that were not seen, or null.</summary>
    public string? MissingOf(ulong seen, ReadOnlySpan<ulong> seenAbove)
    {
        var isMissing = (_required[0] & ~seen) != 0;
        for (var i = 1; i < _required.Length && !isMissing; i++)
        {
            isMissing = (_required[i] & ~seenAbove[i - 1]) != 0;
        }

        if (!isMissing)
        {
            return null;
        }

        var names = new List<string>();
        for (var i = 0; i < Known.Length; i++)
        {
            var mark = 1UL << i;
            if ((_required[i >> 6] & mark) != 0 && ((i < 64 ? seen : seenAbove[(i >> 6) - 1]) & mark) == 0)
            {
                names.Add(Known[i].Name);
            }
        }

        return string.Join(", ", names);
    }

    private int SearchKey(ref MessagePackReader reader, int expected, out ReadOnlySpan<byte> name)
    {
        name = default;
        if (reader.NextKind == MessagePackKind.Integer)
        {
            name = Encoding.UTF8.GetBytes(JsonText.ReadKey(ref reader));
            return -1;
        }

        if (reader.NextKind != MessagePackKind.String)
        {
            reader.Skip();
            return NoName;
        }

        name = reader.ReadUtf8();
        for (var i = 0; i < Known.Length; i++)
        {
            var index = expected + i < Known.Length ? expected + i : expected + i - Known.Length;
            if (Known[index].Utf8Name.SequenceEqual(name))
            {
                return index;
            }
        }

        if (_ignoresCase)
        {
            var text = Encoding.UTF8.GetString(name);
            return Array.FindIndex(Known, m => m.Name.Equals(text, StringComparison.OrdinalIgnoreCase));
        }

        return -1;
    }

    private static (Func<T> Create, Constructor<T>? Construct) Making(CodecSet codecs, JsonTypeInfo contract, JsonPropertyInfo[] properties)
    {
        Func<T>? create = contract is JsonTypeInfo<T> typed ? typed.CreateObject : contract.CreateObject is { } untyped ? () => (T)untyped() : null;
        if (create is not null)
        {
            return (create, null);
        }

        if (contract.ConstructorAttributeProvider is not ConstructorInfo constructor)
        {
            if (contract.Type.IsValueType)
            {
                return (() => typeof(T).IsValueType ? default! : (T)BoxedDefault.Of(contract.Type)!, null); // a struct need not have one
            }

            return (() => throw new NotSupportedException($"{contract.Type} cannot be made: it is abstract, or has no constructor that its contract names."), null);
        }

        var sources = new (int, Type)[constructor.GetParameters().Length];
        for (var i = 0; i < properties.Length; i++)
        {
            if (properties[i].AssociatedParameter is { IsMemberInitializer: false } parameter)
            {
                sources[parameter.Position] = (i, codecs.IsDynamic ? properties[i].PropertyType : typeof(object));
            }
        }

        if (sources.Any(s => s.Item2 is null))
        {
            return (() => throw new NotSupportedException($"{contract.Type} cannot be made: a parameter of its constructor is none of its members."), null);
        }

        var construct = Accessors.Construct<T>(constructor, sources, codecs.IsDynamic);
        // Nothing to wait for: init-only members alone made the contract say that there is.
        return sources.Length == 0 ? (() => construct([]), null) : (() => construct([]), construct);
    }

    private static ulong[] Marks(JsonPropertyInfo[] properties, Func<JsonPropertyInfo, bool> isMarked)
    {
        var marks = new ulong[(properties.Length >> 6) + 1];
        for (var i = 0; i < properties.Length; i++)
        {
            marks[i >> 6] |= isMarked(properties[i]) ? 1UL << i : 0;
        }

        return marks;
    }
}
