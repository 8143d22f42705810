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

    /// <summary>The members that are written and read, as a body has them.</summary>
    public IReadOnlyList<MemberSlot> Slots
    {
        get
        {
            MemberSlot[] slots =
                [.. Written.Select(SlotOf).Where(s => s.Key is not null || s.Index >= 0).DistinctBy(s => (s.Key, s.Index))];
            var constructor = ConstructorFor(slots);
            var fresh = constructor is { } c && c.GetParameters().Length == 0 ? Fresh() : null;
            return [.. slots.Select(slot => WithDuties(slot, constructor, fresh))];
        }
    }

    /// <summary>A public member that holds a value, and is not both written and read; null when there is none.</summary>
    public MemberInfo? LostMember => HasKeys
        ? AllMembers().FirstOrDefault(m => IsKeyed(m) && m is PropertyInfo { SetMethod: null }
            && _type.GetConstructors(Declared).All(c => c.IsStatic || c.GetParameters().Length == 0))
        : PublicMembers().FirstOrDefault(m => !IsWrittenAndRead(m) && MessagePack.LostMember.IsStored(m));

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

    private MemberSlot SlotOf(MemberInfo member)
    {
        var hasOwnFormatter = member.IsDefined(typeof(MessagePackFormatterAttribute), inherit: true);
        if (!HasKeys)
        {
            return new(member, member.Name, -1, hasOwnFormatter);
        }

        if (_isMarked)
        {
            var key = member.GetCustomAttribute<KeyAttribute>(inherit: true)!;
            return new(member, key.StringKey, key.IntKey ?? -1, hasOwnFormatter);
        }

        var data = member.GetCustomAttribute<DataMemberAttribute>(inherit: true)!;
        return data.Order >= 0
            ? new(member, null, data.Order, hasOwnFormatter)
            : new(member, data.Name ?? member.Name, -1, hasOwnFormatter);
    }

    // The one that the library uses: the marked one, otherwise that with the most parameters of those that it can fill.
    private ConstructorInfo? ConstructorFor(MemberSlot[] slots)
    {
        var all = _type.GetConstructors(Declared).Where(c => !c.IsStatic).ToArray();
        return all.FirstOrDefault(c => c.IsDefined(typeof(SerializationConstructorAttribute)))
            ?? all.Where(c => c.IsPublic).OrderByDescending(c => c.GetParameters().Length)
                .FirstOrDefault(c => c.GetParameters().All(p => Array.Exists(slots, s => s.IsFilledBy(p))));
    }

    private object? Fresh()
    {
        try
        {
            return Activator.CreateInstance(_type, nonPublic: true);
        }
        catch (Exception)
        {
            return null; // its members then keep what the type says of them
        }
    }

    private static MemberSlot WithDuties(MemberSlot slot, ConstructorInfo? constructor, object? fresh)
    {
        var parameter = constructor?.GetParameters().FirstOrDefault(slot.IsFilledBy);
        var forbidsNull = slot.ForbidsNullIn(parameter);
        return slot with
        {
            ForbidsNull = forbidsNull,
            IsRequired = parameter is { IsOptional: false, HasDefaultValue: false }
                || slot.Member.IsDefined(typeof(RequiredMemberAttribute))
                || (forbidsNull && fresh is not null && IsNull(slot.Member, fresh)),
        };
    }

    private static bool IsNull(MemberInfo member, object owner)
    {
        try
        {
            return (member is FieldInfo field ? field.GetValue(owner) : ((PropertyInfo)member).GetValue(owner)) is null;
        }
        catch (Exception)
        {
            return false;
        }
    }
}

/// <summary>A member with its place in a body, and what the type says of it.</summary>
/// <param name="Member">The member.</param>
/// <param name="Key">Its name in a map; null in an array.</param>
/// <param name="Index">Its place in an array; -1 in a map.</param>
/// <param name="HasOwnFormatter">It names a formatter, which alone knows its form.</param>
internal sealed record MemberSlot(MemberInfo Member, string? Key, int Index, bool HasOwnFormatter)
{
    /// <summary>A constructor parameter without a default, a member with <c>required</c>, or one that would be null.</summary>
    public bool IsRequired { get; init; }

    /// <summary>Its type is a reference type that must not be null.</summary>
    public bool ForbidsNull { get; init; }

    public bool IsFilledBy(ParameterInfo parameter) => Key is null
        ? parameter.Position == Index
        : string.Equals(parameter.Name, Member.Name, StringComparison.OrdinalIgnoreCase)
            || string.Equals(parameter.Name, Key, StringComparison.OrdinalIgnoreCase);

    public bool ForbidsNullIn(ParameterInfo? parameter)
    {
        if (ObjectContract.TypeOf(Member).IsValueType || IsOfTypeParameter)
        {
            return false;
        }

        var context = new NullabilityInfoContext();
        var state = parameter is { ParameterType.IsValueType: false } ? context.Create(parameter).WriteState
            : Member is FieldInfo field ? context.Create(field).WriteState
            : context.Create((PropertyInfo)Member).WriteState;
        return state == NullabilityState.NotNull;
    }

    // Of 'T Value' the annotation belongs to T, which is not known at run time.
    private bool IsOfTypeParameter => Member.DeclaringType is { IsGenericType: true } declaring
        && declaring.GetGenericTypeDefinition().GetMembers(BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic)
            .Any(m => m.MetadataToken == Member.MetadataToken && m is FieldInfo or PropertyInfo
                && ObjectContract.TypeOf(m).IsGenericParameter);
}
