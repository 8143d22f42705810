using System.Reflection;
using System.Runtime.CompilerServices;

namespace ServiceMesh;

/// <summary>
/// What a handler's code says of its message: whether it may be null. A generic argument does not carry that at run time, the
/// parameter of the handler's method does.
/// </summary>
internal static class HandlerAnnotation
{
    /// <summary>
    /// True when the message is of a reference type that must not be null. A lambda within a lambda does not carry the annotation of a
    /// parameter without a type: there null is refused for a class of the application, and passes for a string and other types of .NET.
    /// False when it may be null, and when that is not known: in a method without nullable annotations, and where trimming has removed
    /// them.
    /// </summary>
    public static bool ForbidsNull(MethodInfo? handler)
    {
        try
        {
            return handler?.GetParameters() is [.., var message, _] // a delegate may be closed over another parameter before it
                && !message.ParameterType.IsValueType
                && new NullabilityInfoContext().Create(message).WriteState switch
                {
                    NullabilityState.NotNull => true,
                    NullabilityState.Unknown =>
                        handler.DeclaringType?.IsDefined(typeof(CompilerGeneratedAttribute)) == true && !IsOfDotNet(message.ParameterType),
                    _ => false,
                };
        }
        catch (Exception failure) when (failure is InvalidOperationException or NotSupportedException)
        {
            return false;
        }
    }

    private static bool IsOfDotNet(Type type) => type.IsArray || TypeWords.IsOfDotNet(type);
}
