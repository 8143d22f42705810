using System.Diagnostics.CodeAnalysis;
using System.Reflection;
using System.Reflection.Emit;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;

namespace ServiceMesh;

internal delegate TValue Getter<TOwner, TValue>(ref TOwner owner);

internal delegate void Setter<TOwner, TValue>(ref TOwner owner, TValue value);

internal delegate TOwner Constructor<TOwner>(Slot[] slots);

/// <summary>
/// Ways to a member without boxing. The contract's own delegates take and give objects; where they do nothing but reach
/// the member that the contract names, code that does the same with types is emitted. What the application put in
/// their place is called as it is.
/// </summary>
internal static class Accessors
{
    public static Getter<TOwner, TValue> Get<TOwner, TValue>(JsonPropertyInfo property, bool isEmitted)
    {
        var get = property.Get!;
        return isEmitted && IsOwn(get) && EmitGetter<TOwner, TValue>(property.AttributeProvider) is { } emitted
            ? emitted
            : (ref owner) => (TValue)get(owner!)!;
    }

    public static Setter<TOwner, TValue>? Set<TOwner, TValue>(JsonPropertyInfo property, bool isEmitted)
    {
        // Without a setter it may still be an init-only one that only generated code cannot reach.
        var isInitializer = property.AssociatedParameter is { IsMemberInitializer: true };
        if (property.Set is null && !isInitializer)
        {
            return null;
        }

        if (isEmitted && (property.Set is null || IsOwn(property.Set)) && EmitSetter<TOwner, TValue>(property.AttributeProvider) is { } emitted)
        {
            return emitted;
        }

        Action<object, object?> set = isInitializer && property.AttributeProvider is PropertyInfo { CanWrite: true } member ? member.SetValue : property.Set!;
        return (ref owner, value) =>
        {
            object boxed = owner!; // the object itself, or a copy of a struct
            set(boxed, value);
            owner = (TOwner)boxed;
        };
    }

    /// <param name="constructor">The one that the contract names.</param>
    /// <param name="sources">For each parameter its slot, and the slot's type.</param>
    /// <param name="isEmitted">Whether code may be emitted.</param>
    public static Constructor<TOwner> Construct<TOwner>(ConstructorInfo constructor, (int Slot, Type Type)[] sources, bool isEmitted)
    {
        if (isEmitted && System.Runtime.CompilerServices.RuntimeFeature.IsDynamicCodeSupported)
        {
            return EmitConstructor<TOwner>(constructor, sources);
        }

        return slots =>
        {
            var arguments = new object?[sources.Length];
            for (var i = 0; i < arguments.Length; i++)
            {
                arguments[i] = slots[sources[i].Slot].Boxed;
            }

            try
            {
                return (TOwner)constructor.Invoke(arguments);
            }
            catch (TargetInvocationException failure) when (failure.InnerException is { } inner)
            {
                System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(inner);
                throw;
            }
        };
    }

    /// <summary>
    /// Whether the application said in the contract how an empty collection is made: with a comparer of its own, for instance.
    /// Only asked of classes, where the delegate is the very one that was given.
    /// </summary>
    public static bool IsMadeByApplication(JsonTypeInfo contract)
    {
        if (contract.CreateObject?.Method is not { } method)
        {
            return false;
        }

        var type = method.DeclaringType;
        var isOwn = type is null
            ? method.Name == ConstructorInfo.ConstructorName
            : type.Assembly == typeof(JsonSerializer).Assembly
                || (method.Name.StartsWith("<Create_", StringComparison.Ordinal) && typeof(JsonSerializerContext).IsAssignableFrom(type.DeclaringType ?? type));
        return !isOwn;
    }

    // Delegates that System.Text.Json made, in itself, in a dynamic method, or in a generated context.
    private static bool IsOwn(Delegate accessor)
    {
        var method = accessor.Method;
        var type = method.DeclaringType;
        return type is null
            ? method.Name.EndsWith("Getter", StringComparison.Ordinal) || method.Name.EndsWith("Setter", StringComparison.Ordinal)
            : type.Assembly == typeof(JsonSerializer).Assembly
                || (method.Name.Contains("PropInit>", StringComparison.Ordinal) && typeof(JsonSerializerContext).IsAssignableFrom(type.DeclaringType ?? type));
    }

    private static Getter<TOwner, TValue>? EmitGetter<TOwner, TValue>(ICustomAttributeProvider? member)
    {
        if (!System.Runtime.CompilerServices.RuntimeFeature.IsDynamicCodeSupported)
        {
            return null;
        }

        var emitted = new DynamicMethod("Get", typeof(TValue), [typeof(TOwner).MakeByRefType()], typeof(Accessors).Module, skipVisibility: true);
        var code = emitted.GetILGenerator();
        LoadOwner<TOwner>(code);
        switch (member)
        {
            case PropertyInfo { GetMethod: { IsStatic: false } get } property when property.PropertyType == typeof(TValue):
                code.Emit(typeof(TOwner).IsValueType ? OpCodes.Call : OpCodes.Callvirt, get);
                break;
            case FieldInfo { IsStatic: false } field when field.FieldType == typeof(TValue):
                code.Emit(OpCodes.Ldfld, field);
                break;
            default:
                return null;
        }

        code.Emit(OpCodes.Ret);
        return emitted.CreateDelegate<Getter<TOwner, TValue>>();
    }

    private static Setter<TOwner, TValue>? EmitSetter<TOwner, TValue>(ICustomAttributeProvider? member)
    {
        if (!System.Runtime.CompilerServices.RuntimeFeature.IsDynamicCodeSupported)
        {
            return null;
        }

        var emitted = new DynamicMethod("Set", null, [typeof(TOwner).MakeByRefType(), typeof(TValue)], typeof(Accessors).Module, skipVisibility: true);
        var code = emitted.GetILGenerator();
        LoadOwner<TOwner>(code);
        code.Emit(OpCodes.Ldarg_1);
        switch (member)
        {
            case PropertyInfo { SetMethod: { IsStatic: false } set } property when property.PropertyType == typeof(TValue):
                code.Emit(typeof(TOwner).IsValueType ? OpCodes.Call : OpCodes.Callvirt, set);
                break;
            case FieldInfo { IsStatic: false, IsInitOnly: false } field when field.FieldType == typeof(TValue):
                code.Emit(OpCodes.Stfld, field);
                break;
            default:
                return null;
        }

        code.Emit(OpCodes.Ret);
        return emitted.CreateDelegate<Setter<TOwner, TValue>>();
    }

    [RequiresDynamicCode("Emits code.")]
    private static Constructor<TOwner> EmitConstructor<TOwner>(ConstructorInfo constructor, (int Slot, Type Type)[] sources)
    {
        var emitted = new DynamicMethod("Construct", typeof(TOwner), [typeof(Slot[])], typeof(Accessors).Module, skipVisibility: true);
        var code = emitted.GetILGenerator();
        foreach (var ((slot, type), parameter) in sources.Zip(constructor.GetParameters()))
        {
            var holder = typeof(Slot<>).MakeGenericType(type);
            code.Emit(OpCodes.Ldarg_0);
            code.Emit(OpCodes.Ldc_I4, slot);
            code.Emit(OpCodes.Ldelem_Ref);
            code.Emit(OpCodes.Castclass, holder);
            code.Emit(parameter.ParameterType.IsByRef ? OpCodes.Ldflda : OpCodes.Ldfld, holder.GetField(nameof(Slot<>.Value))!);
        }

        code.Emit(OpCodes.Newobj, constructor);
        code.Emit(OpCodes.Ret);
        return emitted.CreateDelegate<Constructor<TOwner>>();
    }

    private static void LoadOwner<TOwner>(ILGenerator code)
    {
        code.Emit(OpCodes.Ldarg_0);
        if (!typeof(TOwner).IsValueType)
        {
            code.Emit(OpCodes.Ldind_Ref);
        }
    }
}
