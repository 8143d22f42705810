using System.Diagnostics.CodeAnalysis;
using System.Security.Claims;
using Microsoft.AspNetCore.Authorization.Policy;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features.Authentication;

namespace ServiceMesh.Http;

/// <summary>
/// The caller behind one HTTP request, which may be an exchange or the opening of a session. Policies are evaluated with the context of
/// that request, once for each set of policies; <see cref="CloseAsync"/> must be called before the request ends. Thread-safe.
/// </summary>
[SuppressMessage("Design", "CA1001", Justification = "The semaphore makes no wait handle.")]
internal sealed class HttpCaller : IMessageCaller
{
    /// <summary>The authentication type of nodes: of a caller that sent the shared token, and of this node itself.</summary>
    public const string NodeType = "ServiceMesh";

    private static readonly ClaimsPrincipal s_node = new(new ClaimsIdentity(NodeType));
    private static readonly ClaimsPrincipal s_anonymous = new(new ClaimsIdentity());

    private readonly TopicPolicies _policies;
    private readonly SemaphoreSlim _turn = new(1); // an HttpContext is not thread-safe
    private volatile ClaimsPrincipal _principal;
    private volatile Judgement[] _known = []; // as many as the handlers of this node have different sets of policies
    private HttpContext? _http;
    private readonly bool _isThisNode;

    /// <param name="http">The request.</param>
    /// <param name="hasToken">Whether the request has sent the shared token, which was checked.</param>
    /// <param name="policies">Evaluates policies.</param>
    public HttpCaller(HttpContext http, bool hasToken, TopicPolicies policies)
    {
        var user = http.Features.Get<IHttpAuthenticationFeature>()?.User;
        _principal = hasToken && user?.Identity?.IsAuthenticated != true ? s_node : user ?? s_anonymous;
        (_http, _policies) = (http, policies);
    }

    private HttpCaller(TopicPolicies policies) => (_principal, _policies, _isThisNode) = (s_node, policies, true);

    public ClaimsPrincipal Principal => _principal;

    /// <summary>The node itself as the caller of its own handlers. It has the same identity as a node that sends the token.</summary>
    public static HttpCaller ThisNode(TopicPolicies policies) => new(policies);

    public ValueTask<ReplyMessage?> RefuseAsync(Topic topic, IReadOnlyList<string> policies)
    {
        foreach (var known in _known)
        {
            if (known.IsOf(policies))
            {
                return new(known.Refusal(topic));
            }
        }

        return EvaluateAsync(topic, policies);
    }

    /// <summary>The request is about to end: from now on, policies that were not evaluated before are not satisfied.</summary>
    public async ValueTask CloseAsync()
    {
        await _turn.WaitAsync().ConfigureAwait(false); // an evaluation is short
        _http = null;
        _turn.Release();
    }

    private async ValueTask<ReplyMessage?> EvaluateAsync(Topic topic, IReadOnlyList<string> policies)
    {
        await _turn.WaitAsync().ConfigureAwait(false);
        try
        {
            if (_known.FirstOrDefault(k => k.IsOf(policies)) is { } known)
            {
                return known.Refusal(topic);
            }

            if (_http is null && !_isThisNode)
            {
                return new Judgement(policies, StatusCode.Unauthorized).Refusal(topic);
            }

            var judgement = new Judgement(policies, StatusOf(await EvaluateAsync(policies).ConfigureAwait(false)));
            _known = [.. _known, judgement];
            return judgement.Refusal(topic);
        }
        finally
        {
            _turn.Release();
        }
    }

    private async Task<PolicyAuthorizationResult> EvaluateAsync(IReadOnlyList<string> policies)
    {
        if (_http is null)
        {
            return await _policies.EvaluateAsync(_principal, policies).ConfigureAwait(false);
        }

        _http.User = _principal;
        var result = await _policies.EvaluateAsync(_http, policies).ConfigureAwait(false);
        _principal = _http.User; // the schemes of a policy may have authenticated the caller only now
        return result;
    }

    private static StatusCode? StatusOf(PolicyAuthorizationResult result) =>
        result.Succeeded ? null : result.Challenged ? StatusCode.Unauthorized : StatusCode.Forbidden;

    /// <summary>The result of one set of policies; the status is null if the caller satisfies it.</summary>
    private sealed class Judgement(IReadOnlyList<string> policies, StatusCode? status)
    {
        public bool IsOf(IReadOnlyList<string> others) => ReferenceEquals(policies, others) || policies.SequenceEqual(others);

        public ReplyMessage? Refusal(Topic topic) => status switch
        {
            null => null,
            StatusCode.Unauthorized => ReplyMessage.Failure(
                StatusCode.Unauthorized, $"'{topic}' demands an authenticated caller ({Names}), and this caller is not authenticated.",
                notProcessed: true),
            var other => ReplyMessage.Failure(
                other.Value, $"The caller is not allowed to call '{topic}': it does not satisfy {Names}.", notProcessed: true),
        };

        private string Names => string.Join(" and ", policies.Select(p => p.Length == 0 ? "the default policy" : $"the policy '{p}'"));
    }
}
