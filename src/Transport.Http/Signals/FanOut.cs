using System.Runtime.InteropServices;
using System.Text.Json;

namespace ServiceMesh.Http;

/// <summary>
/// Sends a signal to all its subscribers: one copy to each node that has subscribers without a group, and one to a member of each group.
/// Everything for one node travels in one copy. A group whose member refuses is offered to another member.
/// </summary>
internal sealed class FanOut(
    HttpNode node, BufferedClient client, NodeSessions sessions, PeerDirectory peers, CancellationToken stopping)
{
    private const int MaxReceiptBytes = 1024 * 1024;

    public async ValueTask<SignalResult> SendAsync(Message signal, CancellationToken cancellationToken)
    {
        var routes = peers.Routes;
        var route = routes.SignalsOf(signal.Topic);
        var result = new Tally();
        var copies = new Dictionary<Endpoint, Copy>();
        foreach (var endpoint in route.Individuals)
        {
            Add(endpoint, routes, copies, result);
        }

        var waiting = route.Groups.Select(g => new Group(g)).ToList();
        while (true)
        {
            foreach (var group in waiting)
            {
                if (group.TrySelect() is { } endpoint)
                {
                    CopyTo(copies, endpoint).Groups.Add(group);
                }
                else if ((group.Why ?? group.WhyNoMember(routes)) is { } why)
                {
                    result.Fail($"Group '{group.Name}': {why}");
                }
            }

            if (copies.Count == 0)
            {
                return result.ToResult();
            }

            var deliveries = copies.Select(copy => DeliverAsync(signal, copy.Key, copy.Value, routes, result, cancellationToken));
            waiting = [.. (await Task.WhenAll(deliveries).ConfigureAwait(false)).SelectMany(g => g)];
            copies.Clear();
        }
    }

    // A node that announced that it leaves wants no signals. A node that is gone without an announcement should have received this one.
    private static void Add(Endpoint endpoint, Routes routes, Dictionary<Endpoint, Copy> copies, Tally result)
    {
        if (endpoint.TryBegin())
        {
            copies[endpoint] = new() { ToIndividuals = true };
        }
        else if (endpoint.State == EndpointState.Unreachable)
        {
            result.Fail($"{routes.MemberOf(endpoint)} {routes.MemberOf(endpoint)?.Trouble}");
        }
    }

    private static Copy CopyTo(Dictionary<Endpoint, Copy> copies, Endpoint endpoint)
    {
        if (!copies.TryGetValue(endpoint, out var copy))
        {
            copies[endpoint] = copy = new();
        }
        else
        {
            endpoint.End(); // the copy that goes there anyway has been counted
        }

        return copy;
    }

    /// <summary>Delivers one copy. Returns the groups that need another member.</summary>
    private async Task<IReadOnlyList<Group>> DeliverAsync(
        Message signal, Endpoint endpoint, Copy copy, Routes routes, Tally result, CancellationToken cancellationToken)
    {
        try
        {
            string[] names = [.. copy.Groups.Select(g => g.Name)];
            var receipt = routes.MemberOf(endpoint) is { } member
                ? await SendAsync(signal, member, names, copy.ToIndividuals, result, cancellationToken).ConfigureAwait(false)
                : await node.DeliverAsync(signal, names, copy.ToIndividuals).ConfigureAwait(false);
            result.Count(receipt.Receivers);
            return [.. copy.Groups.Where(g => receipt.Refused.FirstOrDefault(r => r.Group == g.Name) is { } refusal && g.Refuse(refusal))];
        }
        catch (Exception failure) when (cancellationToken.IsCancellationRequested && failure is HttpRequestException or IOException)
        {
            throw new OperationCanceledException(failure.Message, failure, cancellationToken);
        }
        catch (Exception failure) when (!cancellationToken.IsCancellationRequested && IsDeliveryFailure(failure))
        {
            var (reason, mayHaveIt) = Judge(failure, endpoint, routes.MemberOf(endpoint));
            if (copy.ToIndividuals || mayHaveIt)
            {
                result.Fail(reason);
            }

            // A group receives a signal once: if this member may have it, no other member is asked.
            return mayHaveIt ? [] : [.. copy.Groups.Where(g => g.Refuse(reason))];
        }
        finally
        {
            endpoint.End();
        }
    }

    /// <summary>Records a failure of the endpoint. Returns it for people, and whether the signal may have been delivered.</summary>
    private (string Reason, bool MayHaveIt) Judge(Exception failure, Endpoint endpoint, Member? member)
    {
        var refusal = failure as RefusedException;
        var outcome = refusal?.Outcome ?? OutcomeOf(failure);
        outcome.ApplyTo(endpoint);
        if (refusal is not { IsNotProcessed: true })
        {
            peers.ProbeNow(endpoint);
        }

        return ($"{member} {Describe(failure, member)}", refusal is null ? outcome.MayHaveRun : !refusal.IsNotProcessed);
    }

    private static bool IsDeliveryFailure(Exception failure) =>
        failure is HttpRequestException or IOException or JsonException or OperationCanceledException or PhaseTimeoutException;

    // A bus that stops says nothing about the endpoints that have not answered yet.
    private AttemptOutcome OutcomeOf(Exception failure)
    {
        var wasSent = !SendFailure.WasNotSent(failure);
        return failure is OperationCanceledException && stopping.IsCancellationRequested
            ? AttemptOutcome.OfCancellation(wasSent, isSuperseded: false, hasHung: false, TimeSpan.Zero)
            : AttemptOutcome.OfFailure(wasSent, SendFailure.IsOrderly(failure));
    }

    private string Describe(Exception failure, Member? member) => failure switch
    {
        OperationCanceledException when stopping.IsCancellationRequested => "had not answered when the bus stopped",
        OperationCanceledException when !SendFailure.WasNotSent(failure) => $"did not take it within {TimeoutOf(member).TotalSeconds:0} s",
        _ => SendFailure.Describe(failure),
    };

    private static TimeSpan TimeoutOf(Member? member) => member?.Service.Calls.AttemptTimeout ?? HttpTimeoutOptions.DefaultOfAttempt;

    private async Task<SignalReceipt> SendAsync(
        Message signal, Member member, string[] groups, bool toIndividuals, Tally result, CancellationToken cancellationToken)
    {
        using var limit = new CancellationTokenSource(TimeoutOf(member), node.Context.Clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, stopping, cancellationToken);
        if (signal.Body.Length > SessionProtocol.MaxMessageBytes || sessions.Find(member.Session) is not { } session)
        {
            return await PostAsync(signal, member, groups, toIndividuals, either.Token).ConfigureAwait(false);
        }

        var sent = await SessionCopies.SendAsync(session, signal, groups, toIndividuals, either.Token).ConfigureAwait(false);
        if (sent.Lost is { } reason)
        {
            // It may have been delivered, so that no other member is asked.
            peers.ProbeNow(member.Endpoint);
            result.Fail($"{member} {reason}");
        }
        else if (sent.HasAnswer)
        {
            AttemptOutcome.OfAnswer(200, isFromNode: true, isNotProcessed: false, null, sent.Latency).ApplyTo(member.Endpoint);
        }

        return sent.HasLeftAll
            ? sent.Receipt
            : await PostRestAsync(signal, member, sent, result, either.Token, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Posts what the session did not take. A failure concerns the rest alone: the others may be delivered.</summary>
    private async Task<SignalReceipt> PostRestAsync(
        Message signal, Member member, SessionCopies sent, Tally result, CancellationToken limit, CancellationToken cancellationToken)
    {
        try
        {
            return sent.With(await PostAsync(signal, member, sent.GroupsLeft, sent.IndividualsLeft, limit).ConfigureAwait(false));
        }
        catch (Exception failure) when (!cancellationToken.IsCancellationRequested && IsDeliveryFailure(failure))
        {
            var (reason, mayHaveIt) = Judge(failure, member.Endpoint, member);
            if (sent.IndividualsLeft || mayHaveIt)
            {
                result.Fail(reason);
            }

            return mayHaveIt ? sent.Receipt : sent.WithoutRest(reason);
        }
    }

    private async Task<SignalReceipt> PostAsync(
        Message signal, Member member, string[] groups, bool toIndividuals, CancellationToken cancellationToken)
    {
        var uri = member.UriOf(signal.Kind, signal.Topic);
        using var request = client.Make(member.Target, HttpMethod.Post, uri, signal.ContentType, signal.Body);
        request.Headers.TryAddWithoutValidation(MeshHeader.Groups, string.Join(',', groups));
        request.Headers.TryAddWithoutValidation(MeshHeader.Individuals, toIndividuals ? "yes" : "no");
        MessageWire.Write(signal, request.Headers, static (headers, name, value) => headers.TryAddWithoutValidation(name, value));
        var exchange = await client.SendAsync(request, member.Target, MaxReceiptBytes, TimeSpan.Zero, cancellationToken)
            .ConfigureAwait(false);
        if (exchange.IsTooLarge)
        {
            throw new HttpRequestException("answered with a receipt that is too large");
        }

        if (exchange.Status != 200)
        {
            throw Refusal(exchange, member);
        }

        var receipt = JsonSerializer.Deserialize(exchange.Body.Span, HttpJsonContext.Default.SignalReceipt);
        if (receipt is null || receipt.Refused.Contains(null!))
        {
            throw new JsonException("The receipt, or an item in it, is null.");
        }

        AttemptOutcome.OfAnswer(200, isFromNode: true, isNotProcessed: false, null, exchange.Latency).ApplyTo(member.Endpoint);
        return receipt;
    }

    private static RefusedException Refusal(HttpExchange exchange, Member member)
    {
        var reply = ReplyWire.Read(exchange, member.ToString(), false, out var isFromNode);
        return new(
            $"refused it: {reply.Error}",
            AttemptOutcome.OfAnswer((int)reply.Status, isFromNode, reply.NotProcessed, reply.RetryAfter, exchange.Latency),
            reply.NotProcessed);
    }

    /// <summary>The endpoint answered with a failure, which is classified as the answer to a request is.</summary>
    private sealed class RefusedException(string message, AttemptOutcome outcome, bool isNotProcessed) : HttpRequestException(message)
    {
        public AttemptOutcome Outcome => outcome;

        /// <summary>True when nothing was delivered, so that the groups may be offered to other members.</summary>
        public bool IsNotProcessed => isNotProcessed;
    }

    /// <summary>What one endpoint receives in one copy.</summary>
    private sealed class Copy
    {
        public bool ToIndividuals { get; init; }

        public List<Group> Groups { get; } = [];
    }

    /// <summary>One group that has not received its copy yet, and the members that it was offered to.</summary>
    private sealed class Group(GroupRoute route)
    {
        private readonly List<Endpoint> _tried = new(1);

        public string Name => route.Name;

        /// <summary>Why the last member that was asked refused; null if none was asked.</summary>
        public string? Why { get; private set; }

        /// <summary>
        /// Why no member was chosen: the balancer failed, or members are gone without an announcement and should have received the signal.
        /// Null if there are no such members.
        /// </summary>
        public string? WhyNoMember(Routes routes)
        {
            if (route.Balancer.Trouble is { } trouble)
            {
                return trouble;
            }

            var gone = route.Endpoints.Where(e => e.State == EndpointState.Unreachable).Select(routes.MemberOf).OfType<Member>().ToArray();
            return gone.Length == 0 ? null : $"no member is reachable: {string.Join(", ", gone.Take(3).Select(m => $"{m} {m.Trouble}"))}";
        }

        /// <summary>The next member, counted as in flight; null if all were tried.</summary>
        public Endpoint? TrySelect()
        {
            while (route.Balancer.Pick(new PickContext { Tried = CollectionsMarshal.AsSpan(_tried) }) is { } endpoint
                && !_tried.Contains(endpoint))
            {
                _tried.Add(endpoint);
                if (endpoint.TryBegin())
                {
                    return endpoint;
                }
            }

            return null;
        }

        // A node that has no member of the group is not a failure to report.
        public bool Refuse(Refusal refusal) => refusal.Status == (int)StatusCode.NotFound || Refuse(refusal.Detail);

        public bool Refuse(string reason)
        {
            Why = reason;
            return true;
        }
    }

    /// <summary>Counts the results of the copies, which end in any order. Thread-safe.</summary>
    private sealed class Tally
    {
        private readonly Lock _lock = new();
        private readonly List<string> _failures = [];
        private int _receivers;

        public void Count(int receivers) => Interlocked.Add(ref _receivers, receivers);

        public void Fail(string reason)
        {
            lock (_lock)
            {
                _failures.Add(reason);
            }
        }

        public SignalResult ToResult() => new(_receivers) { Failures = [.. _failures] };
    }
}
