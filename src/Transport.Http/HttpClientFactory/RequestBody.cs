using System.Collections;
using System.Diagnostics.CodeAnalysis;
using System.Net.Http.Json;

namespace ServiceMesh.Http;

/// <summary>
/// The body of one request over all its attempts: knows whether it can be sent once more. Of most kinds of content nobody
/// can tell what reading it twice gives, so those are sent again only while nothing has been read. So are sequences that are
/// written as JSON while they are made. Thread-safe.
/// </summary>
internal sealed class RequestBody
{
    private readonly HttpContent? _content;
    private readonly bool? _said;
    private readonly bool _isKnown;
    private int _begun;
    private int _running;

    /// <param name="content">The caller's; it stays the caller's, and no attempt disposes it.</param>
    /// <param name="said">What the caller says about sending it again; null to go by its kind.</param>
    public RequestBody(HttpContent? content, bool? said)
    {
        _content = content;
        _said = said;
        _isKnown = IsKnown(content);
    }

    /// <summary>Whether attempts may read it beside each other.</summary>
    public bool CanBeSentTwiceAtOnce => _content is null || (_isKnown && _said is not false);

    /// <summary>Whether it can still be sent when an attempt has sent it.</summary>
    public bool SurvivesAttempts => CanBeSentTwiceAtOnce || _said is true;

    /// <summary>
    /// Whether another attempt can send it. Content that the caller vouches for may be a stream that is rewound, so the
    /// attempt before must have ended: one that was answered early may still be reading.
    /// </summary>
    public bool CanBeSentAgain =>
        CanBeSentTwiceAtOnce || (_said is true ? Volatile.Read(ref _running) == 0 : Volatile.Read(ref _begun) == 0);

    /// <summary>Bytes of it, when that is known beforehand.</summary>
    public long? Length => _content?.Headers.ContentLength;

    /// <summary>The body as one attempt sends it; null when there is none.</summary>
    public AttemptContent? ForAttempt() => _content is null ? null : new(this, _content);

    /// <summary>An attempt begins to send it. False when it must not, beside or after another; else <see cref="End"/> must follow.</summary>
    public bool TryBegin()
    {
        var isFirst = Interlocked.Exchange(ref _begun, 1) == 0;
        var isAlone = Interlocked.Increment(ref _running) == 1;
        if (CanBeSentTwiceAtOnce || (_said is true ? isAlone : isFirst))
        {
            return true;
        }

        End();
        return false;
    }

    /// <summary>It has been sent, or not, in one attempt.</summary>
    public void End() => Interlocked.Decrement(ref _running);

    /// <summary>Whether its bytes are in memory: sending those does not fail. A class derived from these may send anything.</summary>
    public static bool IsInMemory(HttpContent? content) =>
        content?.GetType() is { } type
        && (type == typeof(ByteArrayContent) || type == typeof(StringContent) || type == typeof(FormUrlEncodedContent) || type == typeof(ReadOnlyMemoryContent));

    // Its bytes are in memory, or made anew from an object that is.
    private static bool IsKnown(HttpContent? content) => content switch
    {
        null => true,
        JsonContent json => !IsLazy(json.Value),
        MultipartContent parts when parts.GetType() == typeof(MultipartContent) || parts.GetType() == typeof(MultipartFormDataContent) => parts.All(IsKnown),
        _ => IsInMemory(content),
    };

    // What makes its items while they are read may have none left the second time. Only a collection surely holds them.
    private static bool IsLazy(object? value) =>
        value is not (null or string)
        && (value is IEnumerable and not ICollection
            ? !Implements(value, typeof(ICollection<>)) && !Implements(value, typeof(IReadOnlyCollection<>))
            : Implements(value, typeof(IAsyncEnumerable<>)));

    [UnconditionalSuppressMessage("Trimming", "IL2075", Justification = "A collection whose interfaces were trimmed away counts as lazy, which is safe; those that a serializer reads are not.")]
    private static bool Implements(object value, Type contract) =>
        Array.Exists(value.GetType().GetInterfaces(), i => i.IsGenericType && i.GetGenericTypeDefinition() == contract);
}
