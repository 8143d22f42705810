namespace ServiceMesh;

/// <summary>The bytes are not MessagePack, or not of the expected type. The only complaint that reading has.</summary>
internal sealed class MessagePackException(string message, long position, Exception? innerException = null)
    : Exception($"{message}, at byte {position + 1}.", innerException);
