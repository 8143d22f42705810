using System.Runtime.InteropServices;
using System.Text.Json;

namespace ServiceMesh.Http;

/// <summary>
/// A signal to everybody who wants it: one copy to each node with subscribers of their own, one to a member of each group,
/// and what one node gets travels as one copy. A group whose member refuses is offered to another.
/// </summary>
internal sealed class FanOut(HttpNode node, Connections connections, Mesh mesh, TimeSpan timeOfCopy, CancellationToken stopping)
{
    private const int MostBytesOfReceipt = 1024 * 1024;

    public async ValueTask<SignalResult> SendAsync(Message signal, CancellationToken cancellationToken)
    {
        var routes = mesh.Routes;
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
                else if ((group.Why ?? group.WhyNobody(routes)) is { } why)
                {
                    result.Fail($"Group '{group.Name}': {why}");
                }
            }

            if (copies.Count == 0)
            {
                return result.ToResult();
            }

            waiting = [.. (await Task.WhenAll(copies.Select(copy => DeliverAsync(signal, copy.Key, copy.Value, routes, result, cancellationToken))).ConfigureAwait(false)).SelectMany(g => g)];
            copies.Clear();
        }
    }

    // A node that said that it is leaving wants no signals any more. One that has gone without a word should have had it.
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
            endpoint.End(); // the copy that is under way anyway has been counted
        }

        return copy;
    }

    /// <summary>Delivers one copy. What comes back are the groups that need another member.</summary>
    private async Task<IReadOnlyList<Group>> DeliverAsync(
        Message signal, Endpoint endpoint, Copy copy, Routes routes, Tally result, CancellationToken cancellationToken)
    {
        try
        {
            string[] names = [.. copy.Groups.Select(g => g.Name)];
            var receipt = routes.MemberOf(endpoint) is { } member
                ? await PostAsync(signal, member, names, copy.ToIndividuals, cancellationToken).ConfigureAwait(false)
                : node.Local.Deliver(signal, names, copy.ToIndividuals);
            result.Count(receipt.Receivers);
            return [.. copy.Groups.Where(g => receipt.Refused.FirstOrDefault(r => r.Group == g.Name) is { } refusal && g.Refuse(refusal))];
        }
        catch (Exception failure) when (cancellationToken.IsCancellationRequested && failure is HttpRequestException or IOException)
        {
            throw new OperationCanceledException(failure.Message, failure, cancellationToken);
        }
        catch (Exception failure) when (!cancellationToken.IsCancellationRequested && failure is HttpRequestException or IOException or JsonException or OperationCanceledException or PhaseTimeoutException)
        {
            if (failure is not NotTakenException)
            {
                endpoint.RecordFailure();
                mesh.Suspect(endpoint);
            }

            var reason = $"{routes.MemberOf(endpoint)} {WhyNot(failure)}";
            var mayHaveIt = failure is not NotTakenException && !Connections.WasNotSent(failure);
            if (copy.ToIndividuals || mayHaveIt)
            {
                result.Fail(reason);
            }

            // A group gets a signal once: when this member may have it, no other is asked.
            return mayHaveIt ? [] : [.. copy.Groups.Where(g => g.Refuse(reason))];
        }
        finally
        {
            endpoint.End();
        }
    }

    private string WhyNot(Exception failure) => failure switch
    {
        OperationCanceledException when stopping.IsCancellationRequested => "had not answered when the bus stopped",
        OperationCanceledException when !Connections.WasNotSent(failure) => $"did not take it within {timeOfCopy.TotalSeconds:0} s",
        _ => Connections.ReasonOf(failure),
    };

    private async Task<SignalReceipt> PostAsync(Message signal, Member member, string[] groups, bool toIndividuals, CancellationToken cancellationToken)
    {
        using var limit = new CancellationTokenSource(timeOfCopy, node.Context.Clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, stopping, cancellationToken);
        var headers = new List<(string, string)> { (MeshHeader.Groups, string.Join(',', groups)), (MeshHeader.Individuals, toIndividuals ? "yes" : "no") };
        MessageWire.Write(signal, headers, static (list, name, value) => list.Add((name, value)));
        var response = await connections.SendAsync(
            member, HttpMethod.Post, member.Service.PathOf(signal.Kind, signal.Topic), headers, signal.ContentType, signal.Body,
            MostBytesOfReceipt, either.Token, isMessage: true).ConfigureAwait(false);
        if (response is { Status: 200 } answer)
        {
            return JsonSerializer.Deserialize(answer.Body.Span, HttpJsonContext.Default.SignalReceipt) is { } receipt && !receipt.Refused.Contains(null!)
                ? receipt
                : throw new JsonException("The receipt is null, or something in it is.");
        }

        if (response is not { } refused)
        {
            throw new HttpRequestException("answered with too much");
        }

        var refusal = ReplyWire.Read(refused, member.ToString(), false, node.Context.Clock, out _);
        throw refusal.NotProcessed ? new NotTakenException($"refused it: {refusal.Error}") : new HttpRequestException($"refused it: {refusal.Error}");
    }

    /// <summary>The node said that it has delivered nothing, so its groups may be offered to others.</summary>
    private sealed class NotTakenException(string message) : HttpRequestException(message);

    /// <summary>What one endpoint gets at once.</summary>
    private sealed class Copy
    {
        public bool ToIndividuals { get; init; }

        public List<Group> Groups { get; } = [];
    }

    /// <summary>One group that has not got its copy yet, and the members that it was offered to.</summary>
    private sealed class Group(GroupRoute route)
    {
        private readonly List<Endpoint> _tried = new(1);

        public string Name => route.Name;

        /// <summary>What the last member said that was asked; null when none was.</summary>
        public string? Why { get; private set; }

        /// <summary>Why no member was chosen: the balancer, or those that have gone without a word and should have had it; null when there are none.</summary>
        public string? WhyNobody(Routes routes)
        {
            if (route.Balancer.Trouble is { } trouble)
            {
                return trouble;
            }

            var gone = route.Endpoints.Where(e => e.State == EndpointState.Unreachable).Select(routes.MemberOf).OfType<Member>().ToArray();
            return gone.Length == 0 ? null : $"no member is reachable: {string.Join(", ", gone.Take(3).Select(m => $"{m} {m.Trouble}"))}";
        }

        /// <summary>The next member, counted as in flight; null when all were tried.</summary>
        public Endpoint? TrySelect()
        {
            while (route.Balancer.Pick(new PickContext { Tried = CollectionsMarshal.AsSpan(_tried) }) is { } endpoint && !_tried.Contains(endpoint))
            {
                _tried.Add(endpoint);
                if (endpoint.TryBegin())
                {
                    return endpoint;
                }
            }

            return null;
        }

        // A member that is no longer one has nothing to complain about.
        public bool Refuse(Refusal refusal) => refusal.Status == (int)StatusCode.NotFound || Refuse(refusal.Detail);

        public bool Refuse(string reason)
        {
            Why = reason;
            return true;
        }
    }

    /// <summary>Counts what became of the copies, which end in any order.</summary>
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
