using System.Collections;
using System.Diagnostics.CodeAnalysis;
using System.Net.Http.Json;
using System.Runtime.CompilerServices;

namespace ServiceMesh.Http;

/// <summary>
/// The body of one request over all its attempts: knows whether it can be sent again. For most kinds of content it is not known what a
/// second read returns, so they are sent again only while nothing has been read. The same holds for lazy sequences that are written as
/// JSON. Thread-safe.
/// </summary>
internal sealed class RequestBody
{
    // By type of value, since looking at interfaces is slow. Types of assemblies that are unloaded leave it.
    private static readonly ConditionalWeakTable<Type, StrongBox<bool>> s_lazy = [];

    private readonly HttpContent? _content;
    private readonly bool? _said;
    private readonly bool _isKnown;
    private int _begun;
    private int _running;

    /// <param name="content">The content of the caller, which no attempt disposes.</param>
    /// <param name="said">Whether the caller says that it can be sent again; null to decide by its type.</param>
    public RequestBody(HttpContent? content, bool? said)
    {
        _content = content;
        _said = said;
        _isKnown = IsKnown(content);
    }

    /// <summary>Whether concurrent attempts may read it.</summary>
    public bool CanBeSentTwiceAtOnce => _content is null || (_isKnown && _said is not false);

    /// <summary>Whether it can be sent again after an attempt has sent it.</summary>
    public bool SurvivesAttempts => CanBeSentTwiceAtOnce || _said is true;

    /// <summary>
    /// Whether another attempt can send it. Content that the caller declares repeatable may be a stream that is rewound, so the earlier
    /// attempt must have ended: an attempt that was answered early may still be reading.
    /// </summary>
    public bool CanBeSentAgain =>
        CanBeSentTwiceAtOnce || (_said is true ? Volatile.Read(ref _running) == 0 : Volatile.Read(ref _begun) == 0);

    /// <summary>Whether its bytes are in memory, so that it does not keep the token that it is sent with.</summary>
    public bool IsReleased => _content is null || IsInMemory(_content);

    /// <summary>The number of bytes, if it is known in advance.</summary>
    public long? Length => _content?.Headers.ContentLength;

    /// <summary>The body for one attempt; null if there is none.</summary>
    public AttemptContent? ForAttempt() => _content is null ? null : new(this, _content);

    /// <summary>
    /// An attempt begins to send it. False if it must not, because another attempt sends or has sent it. After true, <see cref="End"/> must
    /// follow.
    /// </summary>
    /// <param name="isResend">
    /// Whether the same attempt has sent it before, to a server that certainly did not process it. A stream may then go back, as with a
    /// plain client; one that cannot go back throws.
    /// </param>
    public bool TryBegin(bool isResend = false)
    {
        var isFirst = Interlocked.Exchange(ref _begun, 1) == 0;
        var isAlone = Interlocked.Increment(ref _running) == 1;
        if (CanBeSentTwiceAtOnce || (_said is true || (isResend && RewindsOrThrows(_content)) ? isAlone : isFirst))
        {
            return true;
        }

        End();
        return false;
    }

    /// <summary>An attempt has ended to send it, with or without success.</summary>
    public void End() => Interlocked.Decrement(ref _running);

    /// <summary>
    /// Whether its bytes are in memory, so that reading them does not fail. A class derived from these types may do anything.
    /// </summary>
    public static bool IsInMemory(HttpContent? content) =>
        content?.GetType() is { } type
        && (type == typeof(ByteArrayContent) || type == typeof(StringContent) || type == typeof(FormUrlEncodedContent)
            || type == typeof(ReadOnlyMemoryContent));

    // The bytes are in memory, or are made again from an object that is.
    private static bool IsKnown(HttpContent? content) => content switch
    {
        null => true,
        JsonContent json => !IsLazy(json.Value),
        MultipartContent parts when parts.GetType() == typeof(MultipartContent) || parts.GetType() == typeof(MultipartFormDataContent) =>
            parts.All(IsKnown),
        _ => IsInMemory(content),
    };

    // It never sends less the second time than the first time.
    private static bool RewindsOrThrows(HttpContent? content) => content switch
    {
        StreamContent stream => stream.GetType() == typeof(StreamContent),
        MultipartContent parts when parts.GetType() == typeof(MultipartContent) || parts.GetType() == typeof(MultipartFormDataContent) =>
            parts.All(RewindsOrThrows),
        _ => IsKnown(content),
    };

    // A sequence that creates its items while it is read may have none left the second time. Only a collection certainly holds them.
    private static bool IsLazy(object? value) =>
        value is not (null or string) && s_lazy.GetValue(value.GetType(), static type => new(IsLazy(type))).Value;

    private static bool IsLazy(Type type) =>
        typeof(IEnumerable).IsAssignableFrom(type) && !typeof(ICollection).IsAssignableFrom(type)
            ? !Implements(type, typeof(ICollection<>)) && !Implements(type, typeof(IReadOnlyCollection<>))
            : Implements(type, typeof(IAsyncEnumerable<>));

    [UnconditionalSuppressMessage(
        "Trimming", "IL2070", Justification = "A collection whose interfaces were trimmed counts as lazy, which is safe.")]
    private static bool Implements(Type type, Type contract) =>
        Array.Exists(type.GetInterfaces(), i => i.IsGenericType && i.GetGenericTypeDefinition() == contract);
}
