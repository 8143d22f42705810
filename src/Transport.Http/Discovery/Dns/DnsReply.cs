using DnsClient;
using DnsClient.Protocol;

namespace ServiceMesh.Http;

/// <summary>What a server that knows says to one question: the records in the library's types. Immutable.</summary>
/// <param name="NameExists">False when the name does not exist at all (NXDOMAIN).</param>
/// <param name="Answers">The answers, aliases among them.</param>
/// <param name="Authorities">Where the zone says how long "there is none" holds.</param>
/// <param name="Additionals">What the server sent along.</param>
internal sealed record DnsReply(
    bool NameExists,
    IReadOnlyList<DnsResourceRecord> Answers,
    IReadOnlyList<DnsResourceRecord> Authorities,
    IReadOnlyList<DnsResourceRecord> Additionals)
{
    private const int MaxMessageCharacters = 200;

    // The zone did not say: as long as the shortest time that addresses are kept.
    private static readonly TimeSpan s_absenceUnsaid = RefreshTime.Shortest;

    /// <summary>The name does not exist, and nothing says for how long.</summary>
    public static readonly DnsReply NoSuchName = new(false, [], [], []);

    /// <summary>How long "there is none" holds: the lesser of the zone's minimum and the record's own time (RFC 2308, section 5).</summary>
    public TimeSpan AbsenceHolds
    {
        get
        {
            if (Authorities.OfType<SoaRecord>().FirstOrDefault() is not { } zone)
            {
                return s_absenceUnsaid;
            }

            // A client that caches counts the record's own time down, and not the minimum.
            var age = zone.InitialTimeToLive - zone.TimeToLive;
            return TimeSpan.FromSeconds(Math.Min(zone.Minimum, zone.InitialTimeToLive) - age);
        }
    }

    /// <summary>Whether the zone says that there is none. Without that, an alias without records may only not have been followed.</summary>
    public bool SaysAbsent => !NameExists || Authorities.OfType<SoaRecord>().Any();

    /// <summary>
    /// The name that a record belongs to, as it was in the packet. The library turns this one into Unicode, and leaves the names within
    /// records (a target, an alias) in ASCII.
    /// </summary>
    public static string OwnerOf(DnsResourceRecord record) => record.DomainName.Original;

    public static DnsReply Of(IDnsQueryResponse response) => new(
        response.Header.ResponseCode != DnsHeaderResponseCode.NotExistentDomain,
        response.Answers, response.Authorities, response.Additionals);

    /// <summary>What a client did that threw, in a few words: the library's messages may hold a whole packet.</summary>
    public static string ReasonOf(Exception failure) => failure is DnsResponseParseException
        ? "sent what is not a DNS answer"
        : $"failed ({string.Concat(failure.Message.Take(MaxMessageCharacters).Select(c => char.IsControl(c) ? ' ' : c)).TrimEnd('.')})";

    /// <summary>Why a response tells nothing about this question; null when it does.</summary>
    public static string? WhyNone(IDnsQueryResponse response, DnsQuestion question) => response.Header.ResponseCode switch
    {
        not (DnsHeaderResponseCode.NoError or DnsHeaderResponseCode.NotExistentDomain) => $"answered {response.Header.ResponseCode}",
        _ when !IsAbout(response, question) => "answered another question",
        DnsHeaderResponseCode.NotExistentDomain => null,
        _ => response.Answers.Count > 0 || CanTell(response.Header) ? null : "does not know and does not ask others",
    };

    // The library compares ids, and no more (RFC 5452, section 4.1). As with owners, the original is what was in the packet.
    private static bool IsAbout(IDnsQueryResponse response, DnsQuestion question) =>
        response.Questions is [var asked] && asked.QuestionType == question.QuestionType
            && asked.QueryName.Original.Equals(question.QueryName.Value, StringComparison.OrdinalIgnoreCase);

    // "There is none" must come from a server that is responsible or asks others. A server that only points to others says nothing.
    private static bool CanTell(DnsResponseHeader header) => header.HasAuthorityAnswer || header.RecursionAvailable;
}
