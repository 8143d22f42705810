using System.Globalization;

namespace ServiceMesh;

/// <summary>
/// The idempotency key of one step: that of the caller and the place of the step in the composition, so that a repeated step has the
/// same key and no two steps share one. The place counts the steps of a pipe from 0, and inside a form its branches: <c>order-7/2.0.1</c>.
/// Immutable.
/// </summary>
internal sealed class StepKey
{
    private readonly string _prefix;
    private readonly int _index;

    private StepKey(string prefix, int index)
    {
        _prefix = prefix;
        _index = index;
    }

    /// <summary>That of the first step; null when the caller gave none.</summary>
    public static StepKey? Of(Headers headers) => headers[Headers.IdempotencyKey] is { Length: > 0 } key ? new($"{key}/", 0) : null;

    public StepKey After(int steps) => new(_prefix, _index + steps);

    public StepKey Into(int branch) => new(string.Create(CultureInfo.InvariantCulture, $"{_prefix}{_index}.{branch}."), 0);

    /// <summary>The headers with this key in place of the caller's.</summary>
    public Headers In(Headers headers) =>
        headers.WithTrusted(Headers.IdempotencyKey, string.Create(CultureInfo.InvariantCulture, $"{_prefix}{_index}"));
}
