using System.Text;
using MessagePack;

namespace ServiceMesh.MessagePack;

/// <summary>A member as a body has it.</summary>
/// <param name="Name">Its name in C#.</param>
/// <param name="Declaring">The type that declares it.</param>
/// <param name="Key">Its name in a map; null in an array.</param>
/// <param name="Index">Its place in an array; -1 in a map.</param>
/// <param name="Shape">What its value looks like.</param>
/// <param name="IsRequired">Refused when it is missing.</param>
/// <param name="ForbidsNull">Refused when it is null.</param>
internal sealed record ObjectMember(
    string Name, Type Declaring, string? Key, int Index, Lazy<BodyShape> Shape, bool IsRequired, bool ForbidsNull)
{
    /// <summary>The name as it is compared.</summary>
    public byte[] Text { get; } = Encoding.UTF8.GetBytes(Key ?? "");

    /// <summary>The name as it is written, with its header.</summary>
    public byte[] Encoded { get; } = Key is null ? [] : MessagePackSerializer.Serialize(Key, MessagePackSerializerOptions.Standard);
}

/// <summary>An object with the members of a type: a map from names, or an array.</summary>
internal sealed class ObjectShape : BodyShape
{
    private const int MaxOnStack = 128;
    private const int MaxName = 1024;

    private readonly Type _type;
    private readonly ObjectMember[] _members;
    private readonly Dictionary<string, int>? _withoutCase;
    private readonly int[] _places = [];

    /// <summary>Describes a type.</summary>
    /// <param name="type">The type.</param>
    /// <param name="members">Its members; either all have names or none has.</param>
    public ObjectShape(Type type, IReadOnlyCollection<ObjectMember> members)
        : base(TypeWords.Value(type, "an object"), takesNull: !type.IsValueType)
    {
        (_type, _members) = (type, [.. members]);
        if (_members.Any(m => m.Key is null))
        {
            _places = new int[_members.Max(m => m.Index) + 1];
            Array.Fill(_places, -1);
            for (var i = 0; i < _members.Length; i++)
            {
                _places[_members[i].Index] = i;
            }
        }
        else
        {
            // Of names that differ in case only, none is found without its case.
            _withoutCase = _members.Select((member, index) => (member.Key, index))
                .GroupBy(m => m.Key!, StringComparer.OrdinalIgnoreCase)
                .Where(g => g.Count() == 1)
                .ToDictionary(g => g.Key, g => g.Single().index, StringComparer.OrdinalIgnoreCase);
        }
    }

    public override IEnumerable<BodyShape> Parts => _members.Select(m => m.Shape.Value);

    public override bool IsChecked => true;

    protected override bool MatchValue(ref MessagePackReader reader, BodyPath at, BodyCheck check)
    {
        if (reader.NextMessagePackType != (_withoutCase is null ? MessagePackType.Array : MessagePackType.Map))
        {
            return Mismatch(ref reader, at, check);
        }

        if (!check.Enter())
        {
            return false;
        }

        Span<bool> seen = _members.Length <= MaxOnStack ? stackalloc bool[_members.Length] : new bool[_members.Length];
        var matches = _withoutCase is null
            ? MatchArray(ref reader, at, check, seen)
            : MatchMap(ref reader, at, check, seen);
        if (!matches)
        {
            return false;
        }

        for (var i = 0; i < _members.Length; i++)
        {
            if (_members[i] is { IsRequired: true } missing && !seen[i])
            {
                return check.Refuse(ref reader, Place(at, missing).Missing(missing.Shape.Value.Words));
            }
        }

        check.Leave();
        return true;
    }

    private bool MatchArray(ref MessagePackReader reader, BodyPath at, BodyCheck check, scoped Span<bool> seen)
    {
        var count = reader.ReadArrayHeader();
        for (var i = 0; i < count; i++)
        {
            var place = i < _places.Length ? _places[i] : -1;
            if (place >= 0)
            {
                seen[place] = true;
                if (!MatchMember(ref reader, at, check, _members[place]))
                {
                    return false;
                }
            }
            else if (check.IsExact && i >= _places.Length)
            {
                return check.Refuse(ref reader, (at with { Owner = TypeWords.Name(_type) }).Item(i).Unknown());
            }
            else
            {
                BodyCheck.Skip(ref reader);
            }
        }

        return true;
    }

    private bool MatchMap(ref MessagePackReader reader, BodyPath at, BodyCheck check, scoped Span<bool> seen)
    {
        var count = reader.ReadMapHeader();
        for (var i = 0; i < count; i++)
        {
            var start = reader.Consumed;
            if (reader.NextMessagePackType != MessagePackType.String || !reader.TryReadStringSpan(out var name))
            {
                return check.GiveUp();
            }

            var place = PlaceOf(name, i);
            if (place < 0 && name.Length <= MaxName && _withoutCase!.TryGetValue(Encoding.UTF8.GetString(name), out var other))
            {
                place = other;
                check.Rename(start, reader.Consumed, _members[other].Encoded);
            }

            if (place < 0)
            {
                if (check.IsExact)
                {
                    return check.Refuse(
                        ref reader,
                        (at with { Owner = TypeWords.Name(_type) }).Named(Encoding.UTF8.GetString(name), isKnown: false).Unknown());
                }

                BodyCheck.Skip(ref reader);
                continue;
            }

            seen[place] = true;
            if (!MatchMember(ref reader, at, check, _members[place]))
            {
                return false;
            }
        }

        return true;
    }

    // Members arrive in the order of the type, unless another library or another version wrote them.
    private int PlaceOf(ReadOnlySpan<byte> name, int likely)
    {
        if (likely < _members.Length && name.SequenceEqual(_members[likely].Text))
        {
            return likely;
        }

        for (var i = 0; i < _members.Length; i++)
        {
            if (name.SequenceEqual(_members[i].Text))
            {
                return i;
            }
        }

        return -1;
    }

    private static bool MatchMember(ref MessagePackReader reader, BodyPath at, BodyCheck check, ObjectMember member)
    {
        var place = check.Explains ? Place(at, member) : default;
        return member.ForbidsNull && reader.IsNil
            ? check.Refuse(ref reader, place.Null(member.Shape.Value.Words))
            : member.Shape.Value.Match(ref reader, place, check);
    }

    private static BodyPath Place(BodyPath at, ObjectMember member)
    {
        var named = at.Member(member.Declaring, member.Name, member.Key ?? "");
        return member.Key is null ? named with { Path = at.Item(member.Index).Path } : named;
    }
}
