using System.Diagnostics.CodeAnalysis;
using StackExchange.Redis;

namespace ServiceMesh.Redis;

/// <summary>How the entry of a node lies in its hash. Reading never throws.</summary>
internal interface IEntryFormat
{
    /// <summary>How many fields an entry with so many offers has.</summary>
    int FieldsOf(int offers);

    /// <summary>All fields.</summary>
    HashEntry[] Whole(Announcement self, EntryState state, IReadOnlyCollection<Offer> offers);

    /// <summary>The fields that a change writes, and those that it takes out.</summary>
    (HashEntry[] Written, RedisValue[] Removed) Change(
        Announcement self, EntryState state, IReadOnlyCollection<Offer> offers, IReadOnlyList<Offer> added, IReadOnlyList<Offer> removed);

    /// <summary>The fields that say that the node still lives; none where its expiry says so.</summary>
    HashEntry[] Renewal(string id, EntryState state);

    /// <summary>False for what is not the state of that node.</summary>
    bool TryReadState(string id, RedisValue field, out EntryState state);

    /// <summary>False for what is not a whole entry of that node.</summary>
    bool TryRead(string id, HashEntry[] fields, [NotNullWhen(true)] out Entry? entry);

    /// <summary>True for the state of a node that has other keys than this one, or keys where this one has none.</summary>
    bool IsOfOtherKeys(RedisValue state);

    /// <summary>True for a state without a seal where this node has keys.</summary>
    bool LacksSeal(RedisValue state);
}

/// <summary>One node's entry.</summary>
/// <param name="Announced">Who it is.</param>
/// <param name="State">What changes.</param>
/// <param name="Offers">What it handles.</param>
internal sealed record Entry(Announcement Announced, EntryState State, IReadOnlyList<Offer> Offers);

/// <summary>The names of fields of the hash.</summary>
internal static class EntryFields
{
    public const string Node = "node";
    public const string State = "v";
}
