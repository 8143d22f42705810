using System.Collections;
using System.Collections.Concurrent;
using System.Collections.Frozen;
using System.Diagnostics.CodeAnalysis;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.ExceptionServices;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;

namespace ServiceMesh;

/// <summary>The codecs of one serializer, each made when its type is first met, from the type's JSON contract.</summary>
/// <param name="options">Read-only options that have every contract.</param>
/// <param name="isDynamic">
/// Whether codecs may be put together for types that are known at run time only. Under Native AOT they may not: composed
/// types are then handled as objects, by the delegates of their contract.
/// </param>
internal sealed class CodecSet(JsonSerializerOptions options, bool isDynamic)
{
    private static readonly FrozenDictionary<Type, Codec> s_scalars = new Dictionary<Type, Codec>
    {
        [typeof(bool)] = new BooleanCodec(),
        [typeof(byte)] = new ByteCodec(),
        [typeof(sbyte)] = new SByteCodec(),
        [typeof(short)] = new Int16Codec(),
        [typeof(ushort)] = new UInt16Codec(),
        [typeof(int)] = new Int32Codec(),
        [typeof(uint)] = new UInt32Codec(),
        [typeof(long)] = new Int64Codec(),
        [typeof(ulong)] = new UInt64Codec(),
        [typeof(Int128)] = new Int128Codec(),
        [typeof(UInt128)] = new UInt128Codec(),
        [typeof(Half)] = new HalfCodec(),
        [typeof(float)] = new SingleCodec(),
        [typeof(double)] = new DoubleCodec(),
        [typeof(decimal)] = new DecimalCodec(),
        [typeof(char)] = TextCodecs.Char,
        [typeof(string)] = new StringCodec(),
        [typeof(Uri)] = TextCodecs.Uri,
        [typeof(Version)] = TextCodecs.Version,
        [typeof(Guid)] = new GuidCodec(),
        [typeof(DateTime)] = new DateTimeCodec(),
        [typeof(DateTimeOffset)] = new DateTimeOffsetCodec(),
        [typeof(DateOnly)] = TextCodecs.DateOnly,
        [typeof(TimeOnly)] = TextCodecs.TimeOnly,
        [typeof(TimeSpan)] = new TimeSpanCodec(),
        [typeof(byte[])] = new ByteArrayCodec(),
        [typeof(Memory<byte>)] = new MemoryCodec(),
        [typeof(ReadOnlyMemory<byte>)] = new ReadOnlyMemoryCodec(),
        [typeof(JsonElement)] = new JsonElementCodec(),
    }.ToFrozenDictionary();

    private readonly ConcurrentDictionary<Type, Codec> _codecs = new();
    private readonly ConcurrentDictionary<Type, Codec> _members = new();

    // Value tuples have fields only, which contracts leave out unless they are told.
    private readonly Lazy<JsonSerializerOptions> _withFields = new(() =>
    {
        var copy = new JsonSerializerOptions(options) { IncludeFields = true };
        copy.MakeReadOnly();
        return copy;
    });

    private JsonSerializerOptions? _onTheWay;

    public JsonSerializerOptions Options { get; } = options;

    public bool IsDynamic { get; } = isDynamic;

    /// <exception cref="NotSupportedException">The type has no contract.</exception>
    public Codec<T> For<T>()
    {
        var codec = For(typeof(T));
        return codec as Codec<T> ?? new UnboxingCodec<T>(codec);
    }

    /// <inheritdoc cref="For{T}"/>
    public Codec For(Type type) => _codecs.TryGetValue(type, out var codec) ? codec : _codecs.GetOrAdd(type, Make(Contract(type)));

    /// <summary>
    /// The contract of what goes through JSON on its way. It has names for NaN and the infinities, which JSON otherwise lacks
    /// and MessagePack has, and value tuples have their fields wherever they are.
    /// </summary>
    public JsonTypeInfo JsonContract(Type type) => (_onTheWay ??= OnTheWay()).GetTypeInfo(type);

    public JsonTypeInfo Contract(Type type) => (IsValueTuple(type) ? _withFields.Value : Options).GetTypeInfo(type);

    /// <summary>The members of a type, whether or not it is polymorphic.</summary>
    public IMemberCodec MembersOf(Type type) => MembersOf(Contract(type));

    /// <inheritdoc cref="MembersOf(Type)"/>
    public IMemberCodec MembersOf(JsonTypeInfo contract) => (IMemberCodec)_members.GetOrAdd(contract.Type, _ => ObjectOf(contract));

    public Member<TOwner> MemberOf<TOwner>(JsonTypeInfo owner, JsonPropertyInfo property) =>
        IsDynamic && RuntimeFeature.IsDynamicCodeSupported
            ? (Member<TOwner>)Compose(typeof(Member<,>), [typeof(TOwner), property.PropertyType], this, owner, property)
            : new Member<TOwner, object?>(this, owner, property);

    /// <summary>The codec of a member, which may have a converter that its type does not have.</summary>
    public Codec<TValue> ForMember<TValue>(JsonPropertyInfo property)
    {
        if (!IsDynamic || !RuntimeFeature.IsDynamicCodeSupported)
        {
            return (Codec<TValue>)(object)new BoxingCodec(For(property.PropertyType));
        }

        if (property.CustomConverter is not { } converter)
        {
            return For<TValue>();
        }

        if (Nullable.GetUnderlyingType(typeof(TValue)) is { } inner && !converter.CanConvert(typeof(TValue)))
        {
            var value = ((IConverterCodecs)Compose(typeof(ConverterCodecs<>), [inner])).Make(converter, Options);
            return (Codec<TValue>)Compose(typeof(NullableCodec<>), [inner], value);
        }

        return (Codec<TValue>)new ConverterCodecs<TValue>().Make(converter, Options);
    }

    public KeyCodec<TKey> KeysOf<TKey>()
        where TKey : notnull
    {
        var contract = Contract(typeof(TKey));
        object keys = !IsBuiltIn(contract.Converter) ? new JsonKeys<TKey>((JsonConverter<TKey>)contract.Converter, Options)
            : typeof(TKey) == typeof(string) ? new StringKeys(Options.DictionaryKeyPolicy)
            : typeof(TKey) == typeof(int) ? new IntegerKeys<int>(For<int>())
            : typeof(TKey) == typeof(long) ? new IntegerKeys<long>(For<long>())
            : typeof(TKey) == typeof(uint) ? new IntegerKeys<uint>(For<uint>())
            : typeof(TKey) == typeof(ulong) ? new IntegerKeys<ulong>(For<ulong>())
            : typeof(TKey) == typeof(short) ? new IntegerKeys<short>(For<short>())
            : typeof(TKey) == typeof(ushort) ? new IntegerKeys<ushort>(For<ushort>())
            : typeof(TKey) == typeof(byte) ? new IntegerKeys<byte>(For<byte>())
            : typeof(TKey) == typeof(sbyte) ? new IntegerKeys<sbyte>(For<sbyte>())
            : new JsonKeys<TKey>((JsonConverter<TKey>)contract.Converter, Options);
        return (KeyCodec<TKey>)keys;
    }

    /// <summary>
    /// Whether JSON has to make an object, of the members that were read here: one whose collections are filled and not
    /// replaced, and one of whose members has a converter that cannot be called without its type.
    /// </summary>
    public bool IsMadeByJson(JsonTypeInfo contract) => contract.Properties.Any(property =>
        (property.ObjectCreationHandling ?? contract.PreferredPropertyObjectCreationHandling ?? Options.PreferredObjectCreationHandling)
            == JsonObjectCreationHandling.Populate
        || (!IsDynamic && property.CustomConverter is not null));

    /// <summary>Whether a converter is one of System.Text.Json: then the form is known, and need not go through JSON.</summary>
    public static bool IsBuiltIn(JsonConverter converter) => converter.GetType().Assembly == typeof(JsonSerializer).Assembly;

    private Codec Make(JsonTypeInfo contract)
    {
        if (!IsBuiltIn(contract.Converter) || (Options.ReferenceHandler is not null && contract.Kind != JsonTypeInfoKind.None))
        {
            return ByJson(contract);
        }

        return contract.Kind switch
        {
            // System.Text.Json gives a nullable struct the kind of the struct, and none of its members.
            _ when Nullable.GetUnderlyingType(contract.Type) is not null => ScalarOf(contract),
            _ when contract.PolymorphismOptions is not null => Polymorphic(contract),
            JsonTypeInfoKind.Object => ObjectOf(contract),
            JsonTypeInfoKind.Enumerable => SequenceOf(contract),
            JsonTypeInfoKind.Dictionary => MapOf(contract),
            _ => ScalarOf(contract),
        };
    }

    private Codec ScalarOf(JsonTypeInfo contract)
    {
        if (s_scalars.TryGetValue(contract.Type, out var scalar))
        {
            return scalar;
        }

        if (contract.Type == typeof(object))
        {
            return new AnyCodec(this);
        }

        if (Nullable.GetUnderlyingType(contract.Type) is { } inner)
        {
            return IsDynamic && RuntimeFeature.IsDynamicCodeSupported
                ? (Codec)Compose(typeof(NullableCodec<>), [inner], For(inner))
                : new BoxedNullableCodec(For(inner));
        }

        return contract.Type.IsEnum && IsDynamic && RuntimeFeature.IsDynamicCodeSupported
            ? (Codec)Compose(typeof(EnumCodec<>), [contract.Type], JsonForm.Of(contract))
            : ByJson(contract);
    }

    private Codec ObjectOf(JsonTypeInfo contract)
    {
        if (IsDynamic && RuntimeFeature.IsDynamicCodeSupported)
        {
            return (Codec)Compose(typeof(ObjectCodec<>), [contract.Type], this, contract);
        }

        return new ObjectCodec<object>(this, contract);
    }

    private Codec SequenceOf(JsonTypeInfo contract)
    {
        var (type, element) = (contract.Type, contract.ElementType!);
        if (!type.IsAssignableTo(typeof(IEnumerable)))
        {
            return ByJson(contract); // Memory<T> and what else only JSON can walk through
        }

        if (!IsDynamic || !RuntimeFeature.IsDynamicCodeSupported || !type.IsAssignableTo(typeof(IEnumerable<>).MakeGenericType(element)))
        {
            return new BoxedSequenceCodec(this, contract);
        }

        var isList = type.IsGenericType && type.GetGenericTypeDefinition() == typeof(List<>) && !Accessors.IsMadeByApplication(contract);
        return type.IsSZArray ? (Codec)Compose(typeof(ArrayCodec<>), [element], this)
            : isList ? (Codec)Compose(typeof(ListCodec<>), [element], this)
            : (Codec)Compose(typeof(SequenceCodec<,>), [type, element], this, contract);
    }

    private Codec MapOf(JsonTypeInfo contract)
    {
        var (type, key, value) = (contract.Type, contract.KeyType!, contract.ElementType!);
        if (IsDynamic && RuntimeFeature.IsDynamicCodeSupported)
        {
            var pair = typeof(KeyValuePair<,>).MakeGenericType(key, value);
            if (type.IsAssignableTo(typeof(IEnumerable<>).MakeGenericType(pair)))
            {
                return type.IsGenericType && type.GetGenericTypeDefinition() == typeof(Dictionary<,>) && !Accessors.IsMadeByApplication(contract)
                    ? (Codec)Compose(typeof(DictionaryCodec<,>), [key, value], this)
                    : (Codec)Compose(typeof(MapCodec<,,>), [type, key, value], this, contract);
            }
        }

        return new BoxedMapCodec(this, contract);
    }

    private Codec Polymorphic(JsonTypeInfo contract)
    {
        var all = contract.PolymorphismOptions!.DerivedTypes.Select(d => Contract(d.DerivedType)).Prepend(contract).ToArray();
        if (!all.All(c => c.Kind == JsonTypeInfoKind.Object && IsBuiltIn(c.Converter) && !IsMadeByJson(c) && ObjectOf(c) is IMemberCodec))
        {
            return ByJson(contract);
        }

        return IsDynamic && RuntimeFeature.IsDynamicCodeSupported
            ? (Codec)Compose(typeof(PolymorphicCodec<>), [contract.Type], this, contract)
            : new PolymorphicCodec<object>(this, contract);
    }

    private Codec ByJson(JsonTypeInfo contract) =>
        IsDynamic && RuntimeFeature.IsDynamicCodeSupported
            ? (Codec)Compose(typeof(JsonFormCodec<>), [contract.Type], JsonForm.Of(JsonContract(contract.Type)))
            : new JsonFormCodec<object?>(JsonForm.Of(JsonContract(contract.Type)));

    // Two threads may make one each; either will do.
    private JsonSerializerOptions OnTheWay()
    {
        var copy = new JsonSerializerOptions(Options);
        copy.NumberHandling |= JsonNumberHandling.AllowNamedFloatingPointLiterals;
        copy.Converters.Add(new TupleConverter(type => _withFields.Value.GetTypeInfo(type)));
        copy.MakeReadOnly();
        return copy;
    }

    public static bool IsValueTuple(Type type) =>
        type.IsValueType && type.IsAssignableTo(typeof(ITuple)) && type.FullName!.StartsWith("System.ValueTuple`", StringComparison.Ordinal);

    [UnconditionalSuppressMessage("Trimming", "IL2055", Justification = "The type parameters of codecs ask nothing of their types.")]
    [RequiresDynamicCode("Puts a codec together for a type that is known at run time only.")]
    private static object Compose([DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicConstructors)] Type codec, Type[] types, params object[] arguments)
    {
        try
        {
            return Activator.CreateInstance(codec.MakeGenericType(types), arguments)!;
        }
        catch (TargetInvocationException failure) when (failure.InnerException is { } inner)
        {
            ExceptionDispatchInfo.Throw(inner);
            throw;
        }
    }
}
