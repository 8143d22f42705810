using System.Buffers;

namespace ServiceMesh;

/// <summary>
/// Turns values into bodies and back. Implementations are thread-safe and keep no state between calls.
/// </summary>
public interface IMessageSerializer
{
    /// <summary>The name that chooses it in the configuration (<c>ServiceMesh:Serializer</c>), for instance <c>Json</c>.</summary>
    string Name { get; }

    /// <summary>The media type of its bodies; a receiver chooses its serializer by it.</summary>
    string ContentType { get; }

    /// <summary>
    /// Refuses a type that this serializer cannot write and read. The bus calls it with the types of a handler before it
    /// subscribes the handler, and with the type of the answer before each request; so a type that was accepted before must
    /// be accepted without work. The default accepts every type.
    /// </summary>
    /// <typeparam name="T">The type of the bodies of a topic.</typeparam>
    /// <exception cref="NotSupportedException">The type is refused. The message names it and says what to do.</exception>
    void EnsureSupported<T>() { }

    /// <summary>
    /// The same serializer, which also refuses a member that the type does not have. The bus asks for it once, at start, when
    /// <c>ServiceMesh:Contracts</c> is <see cref="ContractMatching.Exact"/>. The default cannot.
    /// </summary>
    /// <exception cref="NotSupportedException">The serializer cannot tell which members a type does not have.</exception>
    IMessageSerializer WithExactContracts() => throw new NotSupportedException(
        $"The serializer '{Name}' cannot refuse unknown members. Implement IMessageSerializer.WithExactContracts, "
        + "or leave Contracts at Compatible.");

    /// <summary>Writes a value, null included.</summary>
    /// <exception cref="NotSupportedException">
    /// The type is refused, as by <see cref="EnsureSupported{T}"/>, or the value cannot be written.
    /// </exception>
    void Serialize<T>(T value, IBufferWriter<byte> output);

    /// <summary>Reads a value. An empty body reads as null where the type allows null.</summary>
    /// <exception cref="MalformedBodyException">
    /// The body is not a <typeparamref name="T"/>. No bytes may lead to another exception.
    /// </exception>
    /// <exception cref="NotSupportedException">The type is refused, as by <see cref="EnsureSupported{T}"/>.</exception>
    T? Deserialize<T>(ReadOnlyMemory<byte> body);
}

/// <summary>A body does not decode as the type that is expected. Becomes status 400 for a request.</summary>
public sealed class MalformedBodyException : Exception
{
    /// <summary>Says what was found, where, and what was expected.</summary>
    /// <param name="message">What is wrong and at which position of the body, without the body's contents.</param>
    /// <param name="innerException">The decoder's own complaint.</param>
    public MalformedBodyException(string message, Exception? innerException = null)
        : base(message, innerException) { }
}
