using System.Diagnostics;
using ServiceMesh.Links;

namespace ServiceMesh.Http;

/// <summary>
/// The copies of one signal for one node over a session: a frame for its subscribers without a group, and one for each group.
/// </summary>
/// <param name="Receipt">What was delivered and what was refused.</param>
/// <param name="IndividualsLeft">Whether the copy for subscribers without a group was not sent.</param>
/// <param name="GroupsLeft">The groups whose copies were not sent.</param>
/// <param name="HasAnswer">Whether the node answered a copy.</param>
/// <param name="Lost">Why copies may or may not have been delivered; null if all of the others were answered.</param>
/// <param name="Latency">The time to the last answer.</param>
internal readonly record struct SessionCopies(
    SignalReceipt Receipt, bool IndividualsLeft, string[] GroupsLeft, bool HasAnswer, string? Lost, TimeSpan Latency)
{
    /// <summary>Whether nothing is left for another way.</summary>
    public bool HasLeftAll => !IndividualsLeft && GroupsLeft.Length == 0;

    /// <exception cref="OperationCanceledException">The token fired.</exception>
    public static async Task<SessionCopies> SendAsync(
        ClientSession session, Message signal, string[] groups, bool toIndividuals, CancellationToken cancellationToken)
    {
        var began = Stopwatch.GetTimestamp();
        string[] all = toIndividuals ? ["", .. groups] : groups;
        var copies = new Task<LinkAnswer>[all.Length];
        for (var i = 0; i < all.Length; i++)
        {
            copies[i] = session.SendAsync(signal, all[i], cancellationToken).AsTask(); // all of them, in this order, before any answer
        }

        var answers = await Task.WhenAll(copies).ConfigureAwait(false);
        return Of(all, answers, Stopwatch.GetElapsedTime(began));
    }

    /// <summary>What the answers mean. Pure.</summary>
    /// <param name="all">The groups; empty for subscribers without a group.</param>
    /// <param name="answers">The answer for each of them.</param>
    /// <param name="latency">The time to the last answer.</param>
    public static SessionCopies Of(string[] all, LinkAnswer[] answers, TimeSpan latency)
    {
        var (receivers, refused, left) = (0, new List<Refusal>(), new List<string>());
        string? lost = null;
        var hasAnswer = false;
        foreach (var (group, answer) in all.Zip(answers))
        {
            switch (answer.Kind)
            {
                case AnswerKind.Reply when !answer.Reply.NotProcessed:
                    hasAnswer = true;
                    receivers += group.Length == 0 ? SignalCount.Read(answer.Reply.Body.Span) : 1;
                    break;
                case AnswerKind.Refusal when group.Length > 0 && answer.Reply.Status != StatusCode.Unauthorized:
                    hasAnswer = true;
                    refused.Add(new(group, (int)answer.Reply.Status, answer.Reply.Error!));
                    break;
                case AnswerKind.Lost:
                    lost = answer.Reply.Error;
                    break;
                default:
                    left.Add(group);
                    break;
            }
        }

        return new(new(receivers, refused), left.Remove(""), [.. left], hasAnswer, lost, latency);
    }

    /// <summary>The receipt for everything, when what was left was delivered in another way.</summary>
    public SignalReceipt With(SignalReceipt rest) => new(Receipt.Receivers + rest.Receivers, [.. Receipt.Refused, .. rest.Refused]);

    /// <summary>
    /// The receipt for everything, when what was left was not delivered: those groups alone need another member, because the others have
    /// the signal or may have it.
    /// </summary>
    public SignalReceipt WithoutRest(string reason) =>
        With(new(0, [.. GroupsLeft.Select(group => new Refusal(group, (int)StatusCode.Unavailable, reason))]));
}
