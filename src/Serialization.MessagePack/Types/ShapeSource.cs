using System.Collections;
using System.Collections.Concurrent;
using System.Reflection;
using MessagePack;
using MessagePack.Formatters;

namespace ServiceMesh.MessagePack;

/// <summary>
/// The shape of each type, by the formatter that reads it. Formatters of the application know their own forms, so what they read is
/// not checked. Thread-safe.
/// </summary>
internal sealed class ShapeSource(FormatterSource formatters)
{
    private static readonly Assembly s_library = typeof(MessagePackSerializer).Assembly;

    private static readonly MessagePackType[] s_integer = [MessagePackType.Integer];
    private static readonly MessagePackType[] s_number = [MessagePackType.Float, MessagePackType.Integer];
    private static readonly MessagePackType[] s_text = [MessagePackType.String];
    private static readonly MessagePackType[] s_bytes = [MessagePackType.Binary, MessagePackType.String];
    private static readonly MessagePackType[] s_time = [MessagePackType.Extension, MessagePackType.Integer];

    private static readonly Dictionary<Type, MessagePackType[]> s_scalars = new()
    {
        [typeof(bool)] = [MessagePackType.Boolean],
        [typeof(sbyte)] = s_integer,
        [typeof(byte)] = s_integer,
        [typeof(short)] = s_integer,
        [typeof(ushort)] = s_integer,
        [typeof(int)] = s_integer,
        [typeof(uint)] = s_integer,
        [typeof(long)] = s_integer,
        [typeof(ulong)] = s_integer,
        [typeof(char)] = s_integer,
        [typeof(float)] = s_number,
        [typeof(double)] = s_number,
        [typeof(Half)] = s_number,
        [typeof(decimal)] = s_text,
        [typeof(string)] = s_text,
        [typeof(Uri)] = s_text,
        [typeof(Version)] = s_text,
        [typeof(Guid)] = s_text,
        [typeof(byte[])] = s_bytes,
        [typeof(DateTime)] = s_time,
        [typeof(TimeSpan)] = s_integer,
        [typeof(DateOnly)] = s_integer,
        [typeof(TimeOnly)] = s_integer,
    };

    private readonly ConcurrentDictionary<Type, BodyShape> _known = new();

    /// <summary>The shape of a type that can be serialized.</summary>
    public BodyShape Of(Type type) => _known.TryGetValue(type, out var known) ? known : _known.GetOrAdd(type, Make(type));

    /// <summary>Whether bodies of the shape must be checked before they are read.</summary>
    public static bool IsChecked(BodyShape root)
    {
        var seen = new HashSet<BodyShape>([root]);
        var open = new Stack<BodyShape>(seen);
        while (open.TryPop(out var shape))
        {
            if (shape.IsChecked)
            {
                return true;
            }

            foreach (var part in shape.Parts.Where(seen.Add))
            {
                open.Push(part);
            }
        }

        return false;
    }

    private BodyShape Make(Type type)
    {
        var plain = Nullable.GetUnderlyingType(type) ?? type;
        var takesNull = !type.IsValueType || plain != type;
        object formatter;
        try
        {
            formatter = formatters.Of(type);
        }
        catch (UnsupportedTypeException)
        {
            return new AnyShape(TypeWords.Value(type, "a value"), takesNull); // no value of it will be read
        }

        if (TypeGraph.IsEmitted(formatter))
        {
            return type.IsInterface || type.IsAbstract ? OfUnion(type) : OfObject(type);
        }

        var kind = formatter.GetType();
        return kind.Assembly != s_library ? new AnyShape(TypeWords.Value(type, "a value"), takesNull)
            : s_scalars.TryGetValue(plain, out var forms) ? new ScalarShape(TypeWords.Value(type, "a value"), takesNull, forms)
            : type.IsSZArray && s_scalars.ContainsKey(type.GetElementType()!)
                ? new SequenceShape(TypeWords.Value(type, "an array"), takesNull, Part(type.GetElementType()!))
            : kind.IsGenericType ? OfGeneric(type, kind, takesNull)
            : new AnyShape(TypeWords.Value(type, "a value"), takesNull);
    }

    private BodyShape OfGeneric(Type type, Type kind, bool takesNull)
    {
        var definition = kind.GetGenericTypeDefinition();
        var arguments = kind.GenericTypeArguments;
        if (definition == typeof(NullableFormatter<>))
        {
            return new NullableShape(Part(arguments[0]), TypeWords.Value(type, "an object"));
        }

        if (type.IsEnum && definition == typeof(GenericEnumFormatter<>))
        {
            return new ScalarShape(TypeWords.Value(type, "a value"), takesNull: false, s_integer);
        }

        if (definition == typeof(KeyValuePairFormatter<,>)
            || definition.Name.StartsWith("TupleFormatter`", StringComparison.Ordinal)
            || definition.Name.StartsWith("ValueTupleFormatter`", StringComparison.Ordinal))
        {
            return new TupleShape(TypeWords.Value(type, "an array"), takesNull, [.. arguments.Select(Part)]);
        }

        var parts = arguments.Length > 1 && arguments[^1] == type ? arguments[..^1] : arguments;
        return (parts, type) switch
        {
            ([var item], { IsArray: false } or { IsSZArray: true }) when typeof(IEnumerable).IsAssignableFrom(type) =>
                new SequenceShape(TypeWords.Value(type, "an array"), takesNull, Part(item)),
            ([_, var value], _) when IsTable(type) => new TableShape(TypeWords.Value(type, "an object"), takesNull, Part(value)),
            _ => new AnyShape(TypeWords.Value(type, "a value"), takesNull),
        };
    }

    private static bool IsTable(Type type) => type.GetInterfaces().Append(type).Any(i =>
        i.IsGenericType
        && (i.GetGenericTypeDefinition() == typeof(IDictionary<,>) || i.GetGenericTypeDefinition() == typeof(IReadOnlyDictionary<,>)));

    private UnionShape OfUnion(Type type) => new(
        TypeWords.Value(type, "a union"),
        type.GetCustomAttributes<UnionAttribute>(inherit: false).ToDictionary(u => u.Key, u => Part(u.SubType)));

    private ObjectShape OfObject(Type type)
    {
        var contract = new ObjectContract(type);
        return new(type, [.. contract.Slots.Select(slot => new ObjectMember(
            slot.Member.Name,
            slot.Member.DeclaringType ?? type,
            slot.Key,
            slot.Index,
            slot.HasOwnFormatter
                ? new(new AnyShape(TypeWords.Value(ObjectContract.TypeOf(slot.Member), "a value"), takesNull: true))
                : Part(ObjectContract.TypeOf(slot.Member)),
            slot.IsRequired,
            slot.ForbidsNull && !slot.HasOwnFormatter))]);
    }

    private Lazy<BodyShape> Part(Type type) => new(() => Of(type));
}

/// <summary>Null, or a value of a value type.</summary>
internal sealed class NullableShape(Lazy<BodyShape> value, string words) : BodyShape(words, takesNull: true)
{
    public override IEnumerable<BodyShape> Parts => [value.Value];

    protected override bool MatchValue(ref MessagePackReader reader, BodyPath at, BodyCheck check) =>
        value.Value.Match(ref reader, at, check);
}
