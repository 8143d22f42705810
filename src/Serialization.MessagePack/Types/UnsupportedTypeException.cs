namespace ServiceMesh.MessagePack;

/// <summary>MessagePack cannot serialize a type. It is a fault of the contract and not of the message.</summary>
/// <param name="type">The type.</param>
/// <param name="reason">Why, and what to do: the rest of a sentence that begins with the type.</param>
/// <param name="innerException">The exception of the library.</param>
internal sealed class UnsupportedTypeException(Type type, string reason, Exception? innerException = null)
    : NotSupportedException($"{TypeWords.Name(type)} {reason}", innerException);
