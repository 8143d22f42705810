using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.Serialization;
using MessagePack;

namespace ServiceMesh.MessagePack;

/// <summary>
/// Which members of an object MessagePack-CSharp writes: those with <c>[Key]</c> or <c>[DataMember]</c> where the type is marked,
/// otherwise each public member. The rules are those of its <c>ObjectSerializationInfo</c> (2.5.307), which is not public.
/// </summary>
internal sealed class ObjectContract
{
    private const BindingFlags Declared = BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly;

    private readonly Type _type;
    private readonly bool _isMarked;

    public ObjectContract(Type type)
    {
        _type = type;
        var mark = type.GetCustomAttributes<MessagePackObjectAttribute>().FirstOrDefault();
        HasKeys = mark is { KeyAsPropertyName: false } || (mark is null && type.IsDefined(typeof(DataContractAttribute)));
        HasNames = mark is { KeyAsPropertyName: true };
        _isMarked = mark is not null;
    }

    /// <summary>The type is marked, and each member that is written is marked too.</summary>
    public bool HasKeys { get; }

    /// <summary>Marked with <c>[MessagePackObject(keyAsPropertyName: true)]</c>.</summary>
    public bool HasNames { get; }

    /// <summary>The members that are written and read, except those that name a formatter of their own.</summary>
    public IEnumerable<MemberInfo> Members =>
        Written.Where(m => !m.IsDefined(typeof(MessagePackFormatterAttribute), inherit: true));

    /// <summary>The members that name a formatter of their own, with its type.</summary>
    public IEnumerable<(MemberInfo Member, Type Formatter)> Formatted =>
        from member in Written
        from mark in member.GetCustomAttributes<MessagePackFormatterAttribute>(inherit: true)
        select (member, mark.FormatterType);

    private IEnumerable<MemberInfo> Written => HasKeys ? AllMembers().Where(IsKeyed) : PublicMembers().Where(IsWrittenAndRead);

    /// <summary>True when the type, a marked member or the constructor is not public: only code with private access can use it.</summary>
    public bool NeedsPrivateAccess =>
        !_type.IsVisible
        || AllMembers().Any(m => IsKeyed(m) && (IsPrivate(m) || m is PropertyInfo { SetMethod.IsPublic: false }))
        || _type.GetConstructors(Declared).Any(c => !c.IsPublic && c.IsDefined(typeof(SerializationConstructorAttribute)))
        || (!_type.IsValueType && _type.GetConstructors().Length == 0);

    /// <summary>False when no member of a type without attributes is both written and read: all its values would arrive alike.</summary>
    public bool HasMembers => HasKeys || HasNames || PublicMembers().Any(IsWrittenAndRead);

    /// <summary>A member that is not public and would be written by its name; null when there is none.</summary>
    public MemberInfo? PrivateMember => AllMembers().FirstOrDefault(IsPrivate);

    public static Type TypeOf(MemberInfo member) => member is FieldInfo field ? field.FieldType : ((PropertyInfo)member).PropertyType;

    // Those of the base types too, private ones included, but none that the compiler made.
    private IEnumerable<MemberInfo> AllMembers()
    {
        for (var type = _type; type is not null; type = type.BaseType)
        {
            foreach (var member in type.GetProperties(Declared).Cast<MemberInfo>().Concat(type.GetFields(Declared)))
            {
                var isMadeByCompiler = member.IsDefined(typeof(CompilerGeneratedAttribute)) || member.Name == "EqualityContract";
                if (!isMadeByCompiler && !IsIgnored(member))
                {
                    yield return member;
                }
            }
        }
    }

    private IEnumerable<MemberInfo> PublicMembers() =>
        _type.GetProperties().Where(p => p.GetMethod is { IsPublic: true, IsStatic: false }).Cast<MemberInfo>()
            .Concat(_type.GetFields().Where(f => !f.IsStatic))
            .Where(m => !IsIgnored(m));

    private static bool IsPrivate(MemberInfo member) =>
        member is FieldInfo { IsPublic: false } or PropertyInfo { GetMethod: null or { IsPublic: false } };

    private static bool IsIgnored(MemberInfo member) =>
        member.IsDefined(typeof(IgnoreMemberAttribute), inherit: true)
        || member.IsDefined(typeof(IgnoreDataMemberAttribute), inherit: true)
        || member.IsDefined(typeof(NonSerializedAttribute), inherit: true)
        || (member is PropertyInfo property && property.GetIndexParameters().Length > 0);

    private bool IsKeyed(MemberInfo member) =>
        _isMarked ? member.IsDefined(typeof(KeyAttribute), inherit: true) : member.IsDefined(typeof(DataMemberAttribute), inherit: true);

    private bool IsWrittenAndRead(MemberInfo member) =>
        member is FieldInfo { IsInitOnly: false } or PropertyInfo { SetMethod.IsPublic: true }
        || _type.GetConstructors().Any(c => c.GetParameters().Any(p =>
            string.Equals(p.Name, member.Name, StringComparison.OrdinalIgnoreCase) && p.ParameterType.IsAssignableFrom(TypeOf(member))));
}
