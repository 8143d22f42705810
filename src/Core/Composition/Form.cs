namespace ServiceMesh;

/// <summary>What the forms other than a pipe have in common.</summary>
internal static class Form
{
    /// <summary>
    /// A form is resumed as a whole, with its own input: the remainder of one of its branches is not what is left of it.
    /// </summary>
    public static Reply<T> Whole<T>(Reply<T> reply) =>
        reply.Resumption is null ? reply : Reply<T>.Failed(reply.Failure!, reply.Headers, reply.Value);

    public static Composition<TIn, TOut>[] Checked<TIn, TOut>(IEnumerable<Composition<TIn, TOut>> steps)
    {
        ArgumentNullException.ThrowIfNull(steps);
        Composition<TIn, TOut>[] copy = [.. steps];
        if (copy.Length == 0 || copy.Contains(null))
        {
            throw new ArgumentException("A composition needs at least one step, and none may be null.", nameof(steps));
        }

        return copy;
    }
}
