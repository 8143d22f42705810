using System.Reflection;

namespace ServiceMesh;

/// <summary>
/// What a handler's code says of its message: whether it may be null. A generic argument does not carry that at run time, the
/// parameter of the handler's method does.
/// </summary>
internal static class HandlerAnnotation
{
    /// <summary>
    /// True when the message is of a reference type that must not be null. False when it may be null, and when that is not
    /// known: in code without nullable annotations, and where trimming has removed them.
    /// </summary>
    public static bool ForbidsNull(MethodInfo? handler)
    {
        try
        {
            return handler?.GetParameters() is [.., var message, _] // a delegate may be closed over another parameter before it
                && !message.ParameterType.IsValueType
                && new NullabilityInfoContext().Create(message).WriteState == NullabilityState.NotNull;
        }
        catch (Exception failure) when (failure is InvalidOperationException or NotSupportedException)
        {
            return false;
        }
    }
}
