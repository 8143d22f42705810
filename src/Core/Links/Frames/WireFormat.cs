namespace ServiceMesh.Links;

/// <summary>The constants of the format that <c>docs/wire.md</c> describes. Reading and writing share them.</summary>
internal static class WireFormat
{
    /// <summary>The version that this node speaks.</summary>
    public const byte Version = 1;

    /// <summary>The first byte of each packet. It is not ASCII and never begins UTF-8, so text is never taken for a packet.</summary>
    public const byte Mark = 0xB5;

    /// <summary>Packet flag: the sender cannot read what it was sent, because it has another version.</summary>
    public const byte RefusesVersion = 1;

    public const int MaxSenderBytes = 255;

    /// <summary>The most bytes that a frame has besides its body: headers at their limit, names and numbers.</summary>
    public const int MaxFieldBytes = 64 * 1024;

    public const int MaxHeaders = Headers.MaxCount + Headers.OwnHeaders;

    public const int MaxContentTypeBytes = 255;

    /// <summary>An error's <see cref="ReplyMessage.MaxErrorCharacters"/> at four bytes each, and the mark of a cut.</summary>
    public const int MaxErrorBytes = (4 * ReplyMessage.MaxErrorCharacters) + 4;

    /// <summary>Of a ping: asks whether the request with its id runs. Of a pong: it does not.</summary>
    public const byte AboutRequest = 1;

    /// <summary>Of a pong: it carries the time of its sender's own clock.</summary>
    public const byte HasClock = 2;

    // Of requests and signals.
    public const byte HasDeadline = 1;
    public const byte HasInstant = 2;

    // Of replies and refusals.
    public const byte HasError = 1;
    public const byte NotProcessed = 2;
    public const byte IsOfHandler = 4;
    public const byte IsLeaving = 8;
    public const byte HasRetryAfter = 16;

    /// <summary>Content types that have a byte of their own; 0 says that the text follows.</summary>
    public const byte JsonMark = 1;
    public const byte MessagePackMark = 2;
    public const byte NoContentMark = 3;
    public const string Json = "application/json";
    public const string MessagePack = "application/msgpack";
}
