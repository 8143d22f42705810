using System.Diagnostics.CodeAnalysis;
using System.Security.Claims;
using Microsoft.AspNetCore.Authentication;
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
    private readonly TimeProvider _clock;
    private readonly SemaphoreSlim _turn = new(1); // an HttpContext is not thread-safe
    private volatile Judgement[] _known = []; // as many as the handlers of this node have different sets of policies
    private HttpContext? _http;
    private long _expiresTicks;
    private readonly bool _isThisNode;

    /// <param name="http">The request.</param>
    /// <param name="hasToken">Whether the request has sent the shared token, which was checked.</param>
    /// <param name="policies">Evaluates policies.</param>
    /// <param name="clock">Tells when an authentication has expired.</param>
    public HttpCaller(HttpContext http, bool hasToken, TopicPolicies policies, TimeProvider clock)
    {
        var user = http.Features.Get<IHttpAuthenticationFeature>()?.User;
        Principal = hasToken && user?.Identity?.IsAuthenticated != true ? s_node : user ?? s_anonymous;
        (_http, _policies, _clock) = (http, policies, clock);
    }

    private HttpCaller(TopicPolicies policies, TimeProvider clock) =>
        (Principal, _policies, _clock, _isThisNode) = (s_node, policies, clock, true);

    /// <summary>As the server authenticated the request. What the schemes of a policy say is in <see cref="OfMessage"/> only.</summary>
    public ClaimsPrincipal Principal { get; }

    /// <summary>When the first authentication by a policy ends; null for never.</summary>
    public DateTimeOffset? Expires => Volatile.Read(ref _expiresTicks) is > 0 and var ticks ? new(ticks, TimeSpan.Zero) : null;

    /// <summary>The node itself as the caller of its own handlers. It has the same identity as a node that sends the token.</summary>
    public static HttpCaller ThisNode(TopicPolicies policies, TimeProvider clock) => new(policies, clock);

    /// <summary>The caller of one message, whose identity is the one that satisfied the policies of its handler.</summary>
    public IMessageCaller OfMessage() => new MessageView(this);

    public ValueTask<ReplyMessage?> RefuseAsync(Topic topic, IReadOnlyList<string> policies)
    {
        var judging = JudgeAsync(policies);
        return judging.IsCompletedSuccessfully ? new(judging.Result.Refusal(topic, _clock)) : RefuseAsync(topic, judging);
    }

    /// <summary>The request is about to end: from now on, policies that were not evaluated before are not satisfied.</summary>
    public async ValueTask CloseAsync()
    {
        await _turn.WaitAsync().ConfigureAwait(false); // an evaluation is short
        _http = null;
        _turn.Release();
    }

    private async ValueTask<ReplyMessage?> RefuseAsync(Topic topic, ValueTask<Judgement> judging) =>
        (await judging.ConfigureAwait(false)).Refusal(topic, _clock);

    private ValueTask<Judgement> JudgeAsync(IReadOnlyList<string> policies)
    {
        foreach (var known in _known)
        {
            if (known.IsOf(policies))
            {
                return new(known);
            }
        }

        return JudgeAnewAsync(policies);
    }

    private async ValueTask<Judgement> JudgeAnewAsync(IReadOnlyList<string> policies)
    {
        await _turn.WaitAsync().ConfigureAwait(false);
        try
        {
            if (_known.FirstOrDefault(k => k.IsOf(policies)) is { } known)
            {
                return known;
            }

            if (_http is null && !_isThisNode)
            {
                return new(policies, StatusCode.Unauthorized, Principal, null);
            }

            var judgement = _http is null
                ? new Judgement(
                    policies, StatusOf(await _policies.EvaluateAsync(Principal, policies).ConfigureAwait(false)), Principal, null)
                : await EvaluateAsync(_http, policies).ConfigureAwait(false);
            if (judgement.Expires is { } expires && (_expiresTicks == 0 || expires.UtcTicks < _expiresTicks))
            {
                Volatile.Write(ref _expiresTicks, expires.UtcTicks);
            }

            _known = [.. _known, judgement];
            return judgement;
        }
        finally
        {
            _turn.Release();
        }
    }

    // Each set of policies begins with the user of the request, not with what the schemes of another set have made of it.
    private async Task<Judgement> EvaluateAsync(HttpContext http, IReadOnlyList<string> policies)
    {
        var feature = http.Features.Get<IAuthenticateResultFeature>();
        var authenticated = feature?.AuthenticateResult;
        if (http.User != Principal)
        {
            http.User = Principal;
        }

        try
        {
            var (result, expires) = await _policies.EvaluateAsync(http, policies).ConfigureAwait(false);
            return new(policies, StatusOf(result), result.Succeeded ? http.User : Principal, result.Succeeded ? expires : null);
        }
        finally
        {
            if (http.User != Principal)
            {
                http.User = Principal;
                if (feature is not null && authenticated?.Principal == Principal)
                {
                    feature.AuthenticateResult = authenticated; // it went with the user
                }
            }
        }
    }

    private static StatusCode? StatusOf(PolicyAuthorizationResult result) =>
        result.Succeeded ? null : result.Challenged ? StatusCode.Unauthorized : StatusCode.Forbidden;

    /// <summary>The result of one set of policies; the status is null if the caller satisfies it.</summary>
    private sealed class Judgement(IReadOnlyList<string> policies, StatusCode? status, ClaimsPrincipal user, DateTimeOffset? expires)
    {
        /// <summary>Who satisfied the policies.</summary>
        public ClaimsPrincipal User => user;

        /// <summary>When the authentication of a caller that satisfies them ends; null for never.</summary>
        public DateTimeOffset? Expires => expires;

        public bool IsOf(IReadOnlyList<string> others) => ReferenceEquals(policies, others) || policies.SequenceEqual(others);

        // The request has no other token than the one that has expired, so the answer stays the same.
        public ReplyMessage? Refusal(Topic topic, TimeProvider clock) => status switch
        {
            null when clock.GetUtcNow() >= expires => ReplyMessage.Failure(
                StatusCode.Unauthorized, $"'{topic}' demands an authenticated caller ({Names}), and its authentication has expired.",
                notProcessed: true),
            null => null,
            StatusCode.Unauthorized => ReplyMessage.Failure(
                StatusCode.Unauthorized, $"'{topic}' demands an authenticated caller ({Names}), and this caller is not authenticated.",
                notProcessed: true),
            var other => ReplyMessage.Failure(
                other.Value, $"The caller is not allowed to call '{topic}': it does not satisfy {Names}.", notProcessed: true),
        };

        private string Names => string.Join(" and ", policies.Select(p => p.Length == 0 ? "the default policy" : $"the policy '{p}'"));
    }

    private sealed class MessageView(HttpCaller caller) : IMessageCaller
    {
        private volatile ClaimsPrincipal _principal = caller.Principal;

        public ClaimsPrincipal Principal => _principal;

        public async ValueTask<ReplyMessage?> RefuseAsync(Topic topic, IReadOnlyList<string> policies)
        {
            var judgement = await caller.JudgeAsync(policies).ConfigureAwait(false);
            var refusal = judgement.Refusal(topic, caller._clock);
            if (refusal is null)
            {
                _principal = judgement.User;
            }

            return refusal;
        }
    }
}
