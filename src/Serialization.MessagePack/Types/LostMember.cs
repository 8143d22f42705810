using System.Reflection;
using System.Runtime.CompilerServices;
using MessagePack;

namespace ServiceMesh.MessagePack;

/// <summary>Members that hold a value and do not travel, in types without attributes.</summary>
internal static class LostMember
{
    private const BindingFlags All = BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly;

    /// <summary>True for a property that stores its value, and does not compute it from others.</summary>
    public static bool IsStored(MemberInfo member) =>
        member is FieldInfo || (member is PropertyInfo { GetMethod: { } getter } && getter.IsDefined(typeof(CompilerGeneratedAttribute)));

    /// <summary>Of a collection class of the application: a public member beside its items; null when there is none.</summary>
    public static string? OfCollection(Type collection)
    {
        for (var type = collection; type is not null && !TypeWords.IsOfDotNet(type); type = type.BaseType)
        {
            const BindingFlags own = BindingFlags.Instance | BindingFlags.Public | BindingFlags.DeclaredOnly;
            var member = type.GetFields(own).Cast<MemberInfo>().Concat(type.GetProperties(own))
                .FirstOrDefault(m => IsStored(m) && !m.IsDefined(typeof(IgnoreMemberAttribute)));
            if (member is not null)
            {
                return member.Name;
            }
        }

        return null;
    }

    /// <summary>True when values of the type differ in something, public or not.</summary>
    public static bool HasState(Type type)
    {
        for (var own = type; own is not null; own = own.BaseType)
        {
            if (own.GetFields(All).Length > 0)
            {
                return true;
            }
        }

        return false;
    }
}
