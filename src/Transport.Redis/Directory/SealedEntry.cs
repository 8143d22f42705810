using System.Diagnostics.CodeAnalysis;
using System.Text;
using System.Text.Json;
using StackExchange.Redis;

namespace ServiceMesh.Redis;

/// <summary>
/// An entry with keys: one sealed field with everything, and one with the state, which is sealed anew with each renewal. So an entry that
/// a stranger puts back is old soon, and one that is put together from two does not fit.
/// </summary>
/// <param name="seal">Of this node.</param>
/// <param name="sealer">Seals with the time.</param>
/// <param name="now">The mesh's clock in milliseconds.</param>
/// <param name="keyOf">The key of a node's entry, for which it is sealed.</param>
internal sealed class SealedEntry(NodeSeal seal, Sealer sealer, Func<long> now, Func<string, string> keyOf) : IEntryFormat
{
    public int FieldsOf(int offers) => 2;

    public HashEntry[] Whole(Announcement self, EntryState state, IReadOnlyCollection<Offer> offers)
    {
        var content = new SealedContent(self, state.Version, [.. offers.Select(o => o.ToString())]);
        var json = JsonSerializer.SerializeToUtf8Bytes(content, DirectoryJson.Default.SealedContent);
        return [new(EntryFields.Node, sealer.Seal(PlaceOf(self.Id, EntryFields.Node), json)), .. Renewal(self.Id, state)];
    }

    public (HashEntry[] Written, RedisValue[] Removed) Change(
        Announcement self, EntryState state, IReadOnlyCollection<Offer> offers, IReadOnlyList<Offer> added, IReadOnlyList<Offer> removed) =>
        (Whole(self, state, offers), []);

    public HashEntry[] Renewal(string id, EntryState state) =>
        [new(EntryFields.State, sealer.Seal(PlaceOf(id, EntryFields.State), Encoding.UTF8.GetBytes(state.ToString())))];

    public bool TryReadState(string id, RedisValue field, out EntryState state)
    {
        state = default;
        return seal.Open(PlaceOf(id, EntryFields.State), ((ReadOnlyMemory<byte>)field).Span, out var head, out var plain) == SealFault.None
            && Freshness<string>.IsNear(head.Instant, now())
            && EntryState.TryRead(Encoding.UTF8.GetString(plain), out state);
    }

    public bool TryRead(string id, HashEntry[] fields, [NotNullWhen(true)] out Entry? entry)
    {
        entry = TryReadState(id, ValueOf(fields, EntryFields.State), out var state)
            && seal.Open(
                PlaceOf(id, EntryFields.Node), ((ReadOnlyMemory<byte>)ValueOf(fields, EntryFields.Node)).Span, out _, out var plain)
                == SealFault.None
            && DirectoryJson.ReadSealed(plain) is { } content && content.Node.Id == id && content.Version == state.Version
            && OffersOf(content.Offers) is { } offers && offers.Count == state.Count
            ? new(content.Node, state, offers)
            : null;
        return entry is not null;
    }

    public bool IsOfOtherKeys(RedisValue state) =>
        seal.Open([], ((ReadOnlyMemory<byte>)state).Span, out _, out _) == SealFault.UnknownKey;

    public bool LacksSeal(RedisValue state) => !SealFormat.IsSealed(((ReadOnlyMemory<byte>)state).Span);

    private byte[] PlaceOf(string id, string field) => Encoding.UTF8.GetBytes($"{keyOf(id)}:{field}");

    private static RedisValue ValueOf(HashEntry[] fields, string name) => Array.Find(fields, field => field.Name == name).Value;

    private static List<Offer>? OffersOf(IReadOnlyList<string> texts)
    {
        var offers = new List<Offer>(texts.Count);
        foreach (var text in texts)
        {
            if (!Offer.TryRead(text, out var offer))
            {
                return null;
            }

            offers.Add(offer);
        }

        return offers;
    }
}
