using System.Runtime.InteropServices;

namespace ServiceMesh.Http;

/// <summary>One request on its way through the layers. Used by one flow at a time.</summary>
internal sealed class Call(Message message, RequestRoute route, Routes routes)
{
    private readonly List<Endpoint> _tried = new(1);

    public Message Message => message;

    public RequestRoute Route => route;

    /// <summary>Where the present attempt goes; set by selection.</summary>
    public Endpoint Endpoint { get; private set; } = null!;

    /// <summary>What is known of it; null for this node itself.</summary>
    public Member? Member => routes.MemberOf(Endpoint);

    /// <summary>True when there was no endpoint left to try.</summary>
    public bool IsExhausted { get; private set; }

    /// <summary>Chooses an endpoint that was not tried yet and makes it the present one. False when there is none.</summary>
    public bool TrySelect()
    {
        var key = message.Headers[route.HashHeader];
        while (route.Balancer.Pick(new PickContext { Key = key, Tried = CollectionsMarshal.AsSpan(_tried) }) is { } endpoint && !_tried.Contains(endpoint))
        {
            _tried.Add(endpoint);
            if (endpoint.TryBegin())
            {
                Endpoint = endpoint;
                return true;
            }
        }

        IsExhausted = true;
        return false;
    }

    /// <summary>Why nobody can take it.</summary>
    public ReplyMessage NobodyCanTake()
    {
        var others = route.Endpoints.Select(routes.MemberOf).OfType<Member>().ToArray();
        var leaving = others.Where(m => m.Endpoint.State == EndpointState.Draining).ToArray();
        var what = leaving.Length > 0
            ? $"is shutting down: {string.Join(", ", leaving.Take(3).Select(m => m.ToString()))}"
            : $"is unreachable: {string.Join(", ", others.Take(3).Select(m => $"{m} {m.Trouble}"))}";
        return ReplyMessage.Failure(StatusCode.Unavailable, $"Every node that handles '{message.Topic}' {what}.", notProcessed: true);
    }
}
