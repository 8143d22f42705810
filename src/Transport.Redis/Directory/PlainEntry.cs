using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using StackExchange.Redis;

namespace ServiceMesh.Redis;

/// <summary>An entry without keys: a field for who the node is, one for its state, and one for each thing that it handles.</summary>
internal sealed class PlainEntry : IEntryFormat
{
    private const int OwnFields = 2;

    public int FieldsOf(int offers) => OwnFields + offers;

    public HashEntry[] Whole(Announcement self, EntryState state, IReadOnlyCollection<Offer> offers) =>
        [new(EntryFields.Node, JsonSerializer.SerializeToUtf8Bytes(self, DirectoryJson.Default.Announcement)), .. Written(state, offers)];

    public (HashEntry[] Written, RedisValue[] Removed) Change(
        Announcement self, EntryState state, IReadOnlyCollection<Offer> offers, IReadOnlyList<Offer> added, IReadOnlyList<Offer> removed) =>
        (Written(state, added), [.. removed.Select(o => (RedisValue)o.ToString())]);

    public HashEntry[] Renewal(string id, EntryState state) => [];

    public bool TryReadState(string id, RedisValue field, out EntryState state) => EntryState.TryRead(field, out state);

    public bool TryRead(string id, HashEntry[] fields, [NotNullWhen(true)] out Entry? entry)
    {
        var offers = new List<Offer>(fields.Length);
        Announcement? announced = null;
        EntryState? state = null;
        foreach (var field in fields)
        {
            if (field.Name == EntryFields.Node)
            {
                announced = DirectoryJson.ReadAnnouncement((byte[])field.Value!) is { } read && read.Id == id ? read : null;
            }
            else if (field.Name == EntryFields.State)
            {
                state = EntryState.TryRead(field.Value, out var read) ? read : null;
            }
            else if (Offer.TryRead(field.Name, out var offer))
            {
                offers.Add(offer);
            }
        }

        entry = announced is not null && state is { } whole && whole.Count == offers.Count ? new(announced, whole, offers) : null;
        return entry is not null;
    }

    public bool IsOfOtherKeys(RedisValue state) => SealFormat.IsSealed(((ReadOnlyMemory<byte>)state).Span);

    public bool LacksSeal(RedisValue state) => false;

    private static HashEntry[] Written(EntryState state, IEnumerable<Offer> offers) =>
        [new(EntryFields.State, state.ToString()), .. offers.Select(o => new HashEntry(o.ToString(), RedisValue.EmptyString))];
}
