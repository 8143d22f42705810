namespace ServiceMesh.MessagePack;

/// <summary>A type that MessagePack cannot serialize, found by the bus or by the library. The caller of a topic is not to blame.</summary>
/// <param name="type">The type.</param>
/// <param name="reason">Why, and what to do, in sentences that begin with the type.</param>
/// <param name="innerException">What the library said.</param>
internal sealed class UnsupportedTypeException(Type type, string reason, Exception? innerException = null)
    : NotSupportedException($"{TypeName.Of(type)} {reason}", innerException);
