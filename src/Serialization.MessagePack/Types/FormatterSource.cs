using System.Collections;
using System.Collections.Concurrent;
using System.Numerics;
using System.Reflection;
using System.Text.Json;
using System.Text.Json.Nodes;
using MessagePack;
using MessagePack.Formatters;
using MessagePack.ImmutableCollection;
using MessagePack.Resolvers;

namespace ServiceMesh.MessagePack;

/// <summary>
/// Finds the formatter of a type: the bus's own, the application's, the library's. Of the library's resolvers only those are
/// used that write public or marked members, and none that reads type names from a body. Thread-safe.
/// </summary>
internal sealed class FormatterSource(IFormatterResolver? application)
{
    private const int LargestType = 64;

    // In the order of the library's standard resolver: the first one that knows the type decides.
    private static readonly IFormatterResolver[] s_library =
    [
        BuiltinResolver.Instance,
        AttributeFormatterResolver.Instance,
        ImmutableCollectionResolver.Instance,
        CompositeResolver.Create(ExpandoObjectFormatter.Instance),
        DynamicGenericResolver.Instance,
        DynamicUnionResolver.Instance,
    ];

    private static readonly MethodInfo s_find =
        typeof(FormatterSource).GetMethod(nameof(Find), BindingFlags.Instance | BindingFlags.NonPublic)!;

    private readonly ConcurrentDictionary<Type, object> _found = new();

    /// <summary>The <see cref="IMessagePackFormatter{T}"/> of a type.</summary>
    /// <exception cref="UnsupportedTypeException">There is none, or it must not be used.</exception>
    public object Of(Type type)
    {
        if (_found.TryGetValue(type, out var known))
        {
            return known;
        }

        var found = s_find.MakeGenericMethod(type).Invoke(this, BindingFlags.DoNotWrapExceptions, null, null, null)!;
        return _found.GetOrAdd(type, found);
    }

    /// <summary>Refuses a formatter that creates the types that a body names.</summary>
    /// <exception cref="UnsupportedTypeException">The formatter is typeless.</exception>
    public static void RefuseTypeless(Type type, Type formatter)
    {
        if (formatter == typeof(TypelessFormatter)
            || (formatter.IsGenericType && formatter.GetGenericTypeDefinition() == typeof(ForceTypelessFormatter<>)))
        {
            throw new UnsupportedTypeException(
                type,
                "has a typeless formatter, which creates any type that a body names, and bodies come from outside. "
                + "Name the types of a hierarchy with [Union] instead.");
        }
    }

    private IMessagePackFormatter<T> Find<T>()
    {
        RefuseEndless(typeof(T));
        RefuseCode(typeof(T));
        try
        {
            var formatter = Own<T>() ?? application?.GetFormatter<T>() ?? Library<T>();
            RefuseTypeless(typeof(T), formatter.GetType());
            return formatter;
        }
        catch (TypeInitializationException failure)
        {
            // The library builds a formatter in a static constructor.
            throw new UnsupportedTypeException(
                typeof(T),
                $"is refused by MessagePack-CSharp: {failure.GetBaseException().Message.TrimEnd('.')}. "
                + "docs/serialization.md says what a type needs.",
                failure);
        }
    }

    private static IMessagePackFormatter<T>? Own<T>()
    {
        var type = typeof(T);
        var own = type == typeof(Unit) ? new UnitFormatter()
            : type == typeof(JsonElement) ? new JsonElementFormatter()
            : type == typeof(BigInteger) ? new BigIntegerFormatter()
            : type == typeof(Headers) ? new HeadersFormatter()
            : typeof(JsonNode).IsAssignableFrom(type) ? Activator.CreateInstance(typeof(JsonNodeFormatter<>).MakeGenericType(type))
            : null;
        return (IMessagePackFormatter<T>?)own;
    }

    private static IMessagePackFormatter<T> Library<T>()
    {
        if (typeof(T) == typeof(object))
        {
            return (IMessagePackFormatter<T>)DynamicObjectTypeFallbackFormatter.Instance;
        }

        RefuseHiddenUnion(typeof(T));
        if (CollectionClass(typeof(T)) is { } collection)
        {
            RefuseLossyCollection(typeof(T));
            return (IMessagePackFormatter<T>)collection;
        }

        foreach (var resolver in s_library)
        {
            if (resolver.GetFormatter<T>() is { } formatter)
            {
                RefuseLossyCollection(typeof(T));
                return formatter;
            }
        }

        if (IsMarker(typeof(T)))
        {
            return (IMessagePackFormatter<T>)Activator.CreateInstance(typeof(MarkerFormatter<>).MakeGenericType(typeof(T)))!;
        }

        return ObjectResolver(typeof(T)).GetFormatter<T>() ?? throw new UnsupportedTypeException(
            typeof(T), "is not known to MessagePack. Give it a formatter through MessagePackSerializerSettings.Resolver.");
    }

    // A generic type with a member of a larger form of itself has members without end.
    private static void RefuseEndless(Type type)
    {
        var left = LargestType;
        Count(type);
        if (left < 0)
        {
            throw new UnsupportedTypeException(
                type.IsGenericType ? type.GetGenericTypeDefinition() : type,
                $"is a generic type of more than {LargestType} types here. A member of it has a larger form of the same type, without end. "
                + "Give that member other type arguments.");
        }

        void Count(Type part)
        {
            if (--left >= 0)
            {
                Array.ForEach(part.HasElementType ? [part.GetElementType()!] : part.GenericTypeArguments, Count);
            }
        }
    }

    // Also where the resolver of the application has a formatter, as the library's own resolvers have one for Type.
    private static void RefuseCode(Type type)
    {
        if (typeof(Delegate).IsAssignableFrom(type))
        {
            throw new UnsupportedTypeException(
                type, "is a delegate, and code does not travel. Send data instead, or leave the member out with [IgnoreMember].");
        }

        if (typeof(Type).IsAssignableFrom(type))
        {
            throw new UnsupportedTypeException(
                type, "is a type, and a body from outside must not choose types. Send its name as a string.");
        }
    }

    private static void RefuseHiddenUnion(Type type)
    {
        Type[] union = [.. type.GetCustomAttributes<UnionAttribute>(inherit: false).Select(u => u.SubType)];
        if (union.Length > 0 && (type.IsVisible ? Array.Find(union, t => !t.IsVisible) : type) is { } hidden)
        {
            throw new UnsupportedTypeException(
                type, $"has [Union], and {TypeWords.Name(hidden)} is not public. All types of a union must be public.");
        }
    }

    private static bool IsMarker(Type type) =>
        !type.IsInterface && !type.IsAbstract && !type.IsDefined(typeof(MessagePackObjectAttribute))
        && (type.IsValueType || type.GetConstructor([]) is not null) && !new ObjectContract(type).HasMembers && !LostMember.HasState(type);

    private static void RefuseLossyCollection(Type type)
    {
        if (typeof(IEnumerable).IsAssignableFrom(type) && !type.IsDefined(typeof(MessagePackFormatterAttribute))
            && LostMember.OfCollection(type) is { } member)
        {
            throw new UnsupportedTypeException(
                type,
                $"is a collection, and its member '{member}' does not travel. Put the collection into a member of a class, "
                + "or leave the member out with [IgnoreMember].");
        }
    }

    // For the library a class that derives from List<int> is a list of objects, and a small integer in it is a byte.
    private static object? CollectionClass(Type type)
    {
        if (type.IsGenericType || type.IsArray || !typeof(ICollection).IsAssignableFrom(type) || type.GetConstructor([]) is null
            || type.IsDefined(typeof(MessagePackFormatterAttribute)))
        {
            return null;
        }

        if (type.GetInterfaces().FirstOrDefault(i => IsOf(i, typeof(IDictionary<,>))) is { } table)
        {
            return Activator.CreateInstance(typeof(GenericDictionaryFormatter<,,>).MakeGenericType([.. table.GenericTypeArguments, type]));
        }

        return type.GetInterfaces().FirstOrDefault(i => IsOf(i, typeof(ICollection<>))) is { } list
            ? Activator.CreateInstance(typeof(GenericCollectionFormatter<,>).MakeGenericType(list.GenericTypeArguments[0], type))
            : null;

        static bool IsOf(Type candidate, Type definition) => candidate.IsGenericType && candidate.GetGenericTypeDefinition() == definition;
    }

    // Only attributes make a member that is not public travel: the library's contractless resolver that allows private members
    // would write every private field.
    private static IFormatterResolver ObjectResolver(Type type)
    {
        if (type.IsInterface || type.IsAbstract)
        {
            throw new UnsupportedTypeException(
                type,
                $"is {(type.IsInterface ? "an interface" : "abstract")}. Name the types that it can be with [Union] on it, "
                + "use one of them, or give it a formatter through MessagePackSerializerSettings.Resolver.");
        }

        var contract = new ObjectContract(type);
        if (contract.HasKeys)
        {
            RefuseLost(type, contract);
            return contract.NeedsPrivateAccess ? DynamicObjectResolverAllowPrivate.Instance : DynamicObjectResolver.Instance;
        }

        if (contract.HasNames)
        {
            RefuseLost(type, contract);
            return type.IsVisible ? DynamicObjectResolver.Instance
                : contract.PrivateMember is not { } member ? DynamicObjectResolverAllowPrivate.Instance
                : throw new UnsupportedTypeException(
                    type,
                    $"is not public, and its private member '{member.Name}' would be written. Mark that with [IgnoreMember], "
                    + "or the members to send with [Key].");
        }

        if (!type.IsVisible)
        {
            throw new UnsupportedTypeException(
                type, "is not public. Make it public, or mark it with [MessagePackObject] and its members with [Key].");
        }

        if (contract.HasMembers)
        {
            RefuseLost(type, contract);
            return DynamicContractlessObjectResolver.Instance;
        }

        throw new UnsupportedTypeException(
            type,
            "has no public member that is both written and read, so nothing of it would arrive. Give it public properties with setters "
            + "or with constructor parameters of their names, mark it with [MessagePackObject], or use Unit if there is nothing to send.");
    }

    private static void RefuseLost(Type type, ObjectContract contract)
    {
        if (contract.LostMember is { } lost)
        {
            throw new UnsupportedTypeException(
                type,
                $"has a member '{lost.Name}' that is never read, so what it holds is lost. Give it a public setter or init, add a "
                + "constructor parameter of its name, or leave it out with [IgnoreMember].");
        }
    }
}
