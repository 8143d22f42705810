using System.Globalization;

namespace ServiceMesh;

/// <summary>
/// A place in a body, as <c>$.Lines[3].Amount</c>, and what the type says of it. Names that come from the body are bounded.
/// </summary>
/// <param name="Path">The place in the body.</param>
/// <param name="Owner">The member that the type has there, as <c>Line.Amount</c>; for an item <c>an item of Order.Lines</c>; for a whole
/// body null.</param>
internal readonly record struct BodyPath(string Path, string? Owner)
{
    private const int MaxName = 64;

    public static BodyPath Root { get; } = new("$", null);

    /// <summary>A member of the type.</summary>
    /// <param name="declaring">The type that declares it.</param>
    /// <param name="member">Its name in C#.</param>
    /// <param name="name">Its name in the body.</param>
    public BodyPath Member(Type declaring, string member, string name) =>
        Named(name, isKnown: false) with { Owner = $"{TypeWords.Name(declaring)}.{member}" };

    /// <summary>A value of a dictionary, or a member that the type does not have; the name comes from the body.</summary>
    public BodyPath Named(string name, bool isKnown) =>
        new(
            Path + (IsPlain(name) ? $".{name}" : $"['{Printable.Line(name.Length <= MaxName ? name : $"{name.AsSpan(0, MaxName)}…")}']"),
            isKnown ? Within("a value") : Owner);

    public BodyPath Item(int index) => new(string.Create(CultureInfo.InvariantCulture, $"{Path}[{index}]"), Within("an item"));

    /// <summary>A value of another kind than the type says.</summary>
    public string Mismatch(string found, string expected) => $"{Path} is {found}; {Expects(expected)}";

    /// <summary>Null where the type forbids it.</summary>
    public string Null(string expected) => $"{Path} is null; {Expects($"{expected} and not nullable")}";

    /// <summary>A member that must be there and is not.</summary>
    public string Missing(string expected) => $"{Path} is missing; {Expects($"{expected} and required")}";

    /// <summary>A member that the type does not have, where that is an error.</summary>
    public string Unknown() => $"{Path} is unknown; {Owner} does not have such a member, and Contracts is Exact";

    private string Expects(string expected) => Owner is null ? $"{expected} is expected" : $"{Owner} is {expected}";

    private string Within(string part) => Owner is null ? part : $"{part} of {Owner}";

    private static bool IsPlain(string name) =>
        name.Length is > 0 and <= MaxName && name.All(c => char.IsAsciiLetterOrDigit(c) || c == '_');
}
