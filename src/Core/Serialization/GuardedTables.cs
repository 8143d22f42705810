using System.Collections.Concurrent;
using System.Collections.ObjectModel;
using System.Diagnostics.CodeAnalysis;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Text.Json.Serialization.Metadata;

namespace ServiceMesh;

/// <summary>
/// Makes System.Text.Json fill sets and dictionaries with the <see cref="GuardedComparer{T}"/>. Keys that are strings need no guard: .NET
/// hashes them with a random key of the process.
/// </summary>
internal static class GuardedTables
{
    private const string Reason = "Reached only where dynamic code is supported.";
    private const string TrimmingReason = "Without the constructor, the type is refused.";

    private static readonly MethodInfo s_set = Own(nameof(Set));
    private static readonly MethodInfo s_dictionary = Own(nameof(Dictionary));
    private static readonly MethodInfo s_concurrent = Own(nameof(Concurrent));
    private static readonly MethodInfo s_comparer = Own(nameof(ComparerOf));
    private static readonly MethodInfo s_comparerType = Own(nameof(ComparerTypeOf));

    /// <summary>Whether tables can be guarded. Native AOT cannot make the code for a type of key at run time.</summary>
    public static bool IsSupported => RuntimeFeature.IsDynamicCodeSupported;

    /// <summary>Replaces what makes an empty table. For the chain of contracts.</summary>
    public static void Guard(JsonTypeInfo contract)
    {
        if (!IsSupported || contract.Kind is not (JsonTypeInfoKind.Enumerable or JsonTypeInfoKind.Dictionary))
        {
            return;
        }

        var type = contract.Type;
        if (MakerOf(type) is { } maker)
        {
            contract.CreateObject = maker;
        }
    }

    /// <summary>A table of the application that hashes its keys by itself, so that it cannot be guarded.</summary>
    public static bool IsUnguarded(Type type) =>
        IsSupported && KeyOf(type) is { } key && key != typeof(string) && !type.IsInterface && !IsKnown(type)
        && ConstructorOf(type, key) is null;

    private static Func<object>? MakerOf(Type type)
    {
        if (KeyOf(type) is not { } key || key == typeof(string))
        {
            return null;
        }

        if (!IsKnown(type) && !type.IsInterface)
        {
            return ConstructorOf(type, key) is { } constructor ? MakerWith(constructor, key) : null;
        }

        var definition = type.GetGenericTypeDefinition();
        var method = definition == typeof(HashSet<>) || definition == typeof(ISet<>) ? s_set
            : definition == typeof(ConcurrentDictionary<,>) ? s_concurrent
            : definition == typeof(Dictionary<,>) || definition == typeof(IDictionary<,>) ? s_dictionary
            : null;
        return method is null ? null : Made<Func<object>>(method, type.GenericTypeArguments);
    }

    // Of the tables that hash: the type of the key, also for a class that derives from one.
    private static Type? KeyOf(Type type)
    {
        if (type.IsInterface)
        {
            return type.IsGenericType && type.GetGenericTypeDefinition() is var definition
                && (definition == typeof(ISet<>) || definition == typeof(IDictionary<,>))
                ? type.GenericTypeArguments[0]
                : null;
        }

        for (var own = type; own is not null; own = own.BaseType)
        {
            if (own.IsGenericType && own.GetGenericTypeDefinition() is var definition
                && (definition == typeof(HashSet<>) || definition == typeof(Dictionary<,>) || definition == typeof(ConcurrentDictionary<,>)
                    || definition == typeof(KeyedCollection<,>)))
            {
                return own.GenericTypeArguments[0];
            }
        }

        return null;
    }

    private static bool IsKnown(Type type) => type.IsGenericType && type.GetGenericTypeDefinition() is var definition
        && (definition == typeof(HashSet<>) || definition == typeof(Dictionary<,>) || definition == typeof(ConcurrentDictionary<,>));

    [UnconditionalSuppressMessage("Trimming", "IL2070", Justification = TrimmingReason)]
    private static ConstructorInfo? ConstructorOf(Type type, Type key)
    {
        var comparer = Made<Type>(s_comparerType, [key]);
        return type.GetConstructor([comparer]) ?? type.GetConstructor([typeof(int), comparer]);
    }

    private static Func<object> MakerWith(ConstructorInfo constructor, Type key)
    {
        var comparer = Comparer(key);
        object[] arguments = constructor.GetParameters().Length == 1 ? [comparer] : [0, comparer];
        return () => constructor.Invoke(BindingFlags.DoNotWrapExceptions, null, arguments, null);
    }

    private static object Comparer(Type key) => Made<object>(s_comparer, [key]);

    private static MethodInfo Own(string name) => typeof(GuardedTables).GetMethod(name, BindingFlags.Static | BindingFlags.NonPublic)!;

    [UnconditionalSuppressMessage("Trimming", "IL2060", Justification = Reason)]
    [UnconditionalSuppressMessage("AOT", "IL3050", Justification = Reason)]
    private static T Made<T>(MethodInfo method, Type[] arguments) => (T)method.MakeGenericMethod(arguments).Invoke(null, null)!;

    private static Func<object> Set<T>() => static () => new HashSet<T>(GuardedComparer<T>.Instance);

    private static Func<object> Dictionary<TKey, TValue>()
        where TKey : notnull => static () => new Dictionary<TKey, TValue>(GuardedComparer<TKey>.Instance);

    private static Func<object> Concurrent<TKey, TValue>()
        where TKey : notnull => static () => new ConcurrentDictionary<TKey, TValue>(GuardedComparer<TKey>.Instance);

    private static GuardedComparer<T> ComparerOf<T>() => GuardedComparer<T>.Instance;

    private static Type ComparerTypeOf<T>() => typeof(IEqualityComparer<T>);
}
