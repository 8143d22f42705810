using System.Collections;
using System.Collections.ObjectModel;
using System.Reflection;
using MessagePack;
using MessagePack.Formatters;
using MessagePack.ImmutableCollection;

namespace ServiceMesh.MessagePack;

/// <summary>
/// A table whose keys come from outside needs a hash that the sender cannot predict, or a small body costs minutes. The library
/// has such hashes for some types, and refuses a body of another type when it arrives; here the type is refused before the first message.
/// </summary>
internal static class HashedKeys
{
    // The formatters whose first type argument is a key that the library hashes.
    private static readonly HashSet<Type> s_hashing =
    [
        typeof(DictionaryFormatter<,>),
        typeof(ConcurrentDictionaryFormatter<,>),
        typeof(InterfaceDictionaryFormatter<,>),
        typeof(InterfaceReadOnlyDictionaryFormatter<,>),
        typeof(ReadOnlyDictionaryFormatter<,>),
        typeof(GenericDictionaryFormatter<,,>),
        typeof(GenericReadOnlyDictionaryFormatter<,,>),
        typeof(ImmutableDictionaryFormatter<,>),
        typeof(InterfaceImmutableDictionaryFormatter<,>),
        typeof(InterfaceLookupFormatter<,>),
        typeof(HashSetFormatter<>),
        typeof(InterfaceSetFormatter<>),
        typeof(InterfaceReadOnlySetFormatter<>),
        typeof(ImmutableHashSetFormatter<>),
        typeof(InterfaceImmutableSetFormatter<>),
    ];

    private static readonly MethodInfo s_comparer =
        typeof(MessagePackSecurity).GetMethod(nameof(MessagePackSecurity.GetEqualityComparer), 1, [])!;

    /// <summary>Refuses a table whose keys could be chosen for one hash.</summary>
    /// <exception cref="UnsupportedTypeException">The keys have no hash that resists this, or the table would not use it.</exception>
    public static void Check(Type type, object formatter, MessagePackSecurity security)
    {
        var kind = formatter.GetType();
        if (!kind.IsGenericType)
        {
            return;
        }

        var definition = kind.GetGenericTypeDefinition();
        var key = kind.GenericTypeArguments[0];
        if (s_hashing.Contains(definition) && !HasComparer(key, security))
        {
            throw new UnsupportedTypeException(
                type,
                $"has keys of type {TypeWords.Name(key)}, whose hash does not resist collisions. Use a string, an integer, a float, "
                + "an enum, a Guid, a date or a time as the key, or send a list of pairs.");
        }

        if (definition == typeof(NonGenericDictionaryFormatter<>) && type.GetConstructor([typeof(int), typeof(IEqualityComparer)]) is null)
        {
            throw new UnsupportedTypeException(
                type,
                "is a table that MessagePack fills without a hash that resists collisions. Use Dictionary or Hashtable, or give it "
                + "a public constructor with the parameters int and IEqualityComparer.");
        }

        if (IsCollection(definition) && KeyOfCollection(type) is { } own && own != typeof(string))
        {
            throw new UnsupportedTypeException(
                type,
                $"finds its items by keys of type {TypeWords.Name(own)} without a hash that resists collisions. Use a string as the key, "
                + "or send a List or a Dictionary.");
        }

        if (key != typeof(string) && MakesItsOwnTable(type, key, definition))
        {
            throw new UnsupportedTypeException(
                type,
                "is a table that MessagePack fills without a hash that resists collisions. Use HashSet, Dictionary or a sorted collection, "
                + $"or give a dictionary a public constructor with the parameters int and IEqualityComparer<{TypeWords.Name(key)}>.");
        }
    }

    private static bool HasComparer(Type key, MessagePackSecurity security)
    {
        try
        {
            return s_comparer.MakeGenericMethod(key).Invoke(security, BindingFlags.DoNotWrapExceptions, null, null, null) is not null;
        }
        catch (TypeAccessException)
        {
            return false;
        }
    }

    // A class of the application, which hashes by itself. For strings .NET does so with a random key of the process.
    private static bool MakesItsOwnTable(Type type, Type key, Type definition)
    {
        if (definition == typeof(GenericDictionaryFormatter<,,>))
        {
            return type.GetConstructor([typeof(int), typeof(IEqualityComparer<>).MakeGenericType(key)]) is null;
        }

        return IsCollection(definition)
            && type.GetInterfaces().Any(i => i.IsGenericType && i.GetGenericTypeDefinition() == typeof(ISet<>))
            && !IsSorted(type);
    }

    private static bool IsCollection(Type definition) =>
        definition == typeof(GenericCollectionFormatter<,>) || definition == typeof(GenericEnumerableFormatter<,>);

    private static Type? KeyOfCollection(Type? type) =>
        type is null ? null
        : type.IsGenericType && type.GetGenericTypeDefinition() == typeof(KeyedCollection<,>) ? type.GenericTypeArguments[0]
        : KeyOfCollection(type.BaseType);

    private static bool IsSorted(Type? type) =>
        type is not null && ((type.IsGenericType && type.GetGenericTypeDefinition() == typeof(SortedSet<>)) || IsSorted(type.BaseType));
}
