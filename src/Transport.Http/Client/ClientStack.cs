namespace ServiceMesh.Http;

/// <summary>One layer between a caller and the network: does its part around the next one.</summary>
internal interface ILayer
{
    /// <summary>Every outcome is a reply; the only exception is the cancellation of the token.</summary>
    ValueTask<ReplyMessage> SendAsync(Call call, CancellationToken cancellationToken);
}

/// <summary>All that happens to a request between its caller and the network, in the order in which it happens.</summary>
internal sealed class ClientStack(HttpNode node, Connections connections, Mesh mesh, CancellationToken stopping)
{
    private readonly TotalDeadline _first =

        // 1. Total. Outermost: it bounds everything below, so that no number of attempts outlives the caller.
        new TotalDeadline(

        // 2. Elsewhere. Above selection, so that the next attempt goes to another endpoint. What is certain not to have been
        //    processed is tried with those not tried yet. Retries with backoff and their budget will stand here.
        new Elsewhere(

        // 3. Select. One of the endpoints that handle the topic and can take a request now.
        new Select(

        // 4. The endpoint's breaker will stand here: below selection, which needs to know that it is open, and above the
        //    attempt's timeout, so that timeouts count as failures.
        // 5. The attempt's timeout will stand here: it bounds one attempt, so that there is time for another.

        // 6. Send. To this node in process, to every other over HTTP.
        new Send(node, connections, mesh))), stopping);

    /// <summary>Sends a request to one of those who handle its topic.</summary>
    public ValueTask<ReplyMessage> SendAsync(Message request, RequestRoute route, Routes routes, CancellationToken cancellationToken) =>
        _first.SendAsync(new(request, route, routes), cancellationToken);
}
