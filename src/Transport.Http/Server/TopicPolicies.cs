using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Authorization.Policy;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.DependencyInjection;

namespace ServiceMesh.Http;

/// <summary>
/// Evaluates the authorization policies that handlers demand, with the authorization services of the application. Thread-safe.
/// </summary>
/// <param name="application">The services of the application.</param>
internal sealed class TopicPolicies(IServiceProvider application)
{
    /// <summary>Checks that every policy of these subscriptions exists.</summary>
    /// <exception cref="InvalidOperationException">A policy does not exist; the message names it and the handler.</exception>
    public async Task EnsureExistAsync(IEnumerable<Subscription> subscriptions)
    {
        foreach (var subscription in subscriptions.Where(s => s.AuthorizationPolicies.Count > 0))
        {
            if (application.GetService<IAuthorizationPolicyProvider>() is not { } provider)
            {
                throw new InvalidOperationException(
                    $"The {subscription} demands authorization, and the application has no authorization services. " +
                    "Call builder.Services.AddAuthorization(…).");
            }

            foreach (var name in subscription.AuthorizationPolicies.Where(n => n.Length > 0))
            {
                _ = await provider.GetPolicyAsync(name).ConfigureAwait(false) ?? throw new InvalidOperationException(
                    $"The {subscription} demands the authorization policy '{name}', which does not exist. " +
                    $"Add it: builder.Services.AddAuthorization(options => options.AddPolicy(\"{name}\", …)).");
            }
        }
    }

    /// <summary>
    /// Evaluates policies as ASP.NET Core does for an endpoint: the user of the request is authenticated by the schemes of the policies,
    /// if they name some, and the resource is the <see cref="HttpContext"/>. Returns when that authentication ends, too.
    /// </summary>
    public async Task<(PolicyAuthorizationResult Result, DateTimeOffset? Expires)> EvaluateAsync(
        HttpContext http, IReadOnlyList<string> policies)
    {
        // The server of the transport has a container of its own, without the application's services.
        if (http.RequestServices?.GetService<IAuthorizationPolicyProvider>() is null)
        {
            var scopes = application.GetRequiredService<IServiceScopeFactory>();
            http.Features.Set<IServiceProvidersFeature>(new RequestServicesFeature(http, scopes));
        }

        var services = http.RequestServices!;
        var policy = await AuthorizationPolicy.CombineAsync(
            services.GetRequiredService<IAuthorizationPolicyProvider>(),
            policies.Select(name => name.Length == 0 ? new AuthorizeAttribute() : new AuthorizeAttribute(name))).ConfigureAwait(false);

        // AddAuthorizationCore brings no evaluator.
        var evaluator = services.GetService<IPolicyEvaluator>()
            ?? new PolicyEvaluator(services.GetRequiredService<IAuthorizationService>());
        var authenticated = await evaluator.AuthenticateAsync(policy!, http).ConfigureAwait(false);
        var result = await evaluator.AuthorizeAsync(policy!, authenticated, http, http).ConfigureAwait(false);
        return (result, authenticated.Properties?.ExpiresUtc);
    }

    /// <summary>Evaluates policies for a caller without a request of HTTP: this node itself.</summary>
    public async Task<PolicyAuthorizationResult> EvaluateAsync(System.Security.Claims.ClaimsPrincipal user, IReadOnlyList<string> policies)
    {
        var scope = application.CreateAsyncScope();
        await using (scope.ConfigureAwait(false))
        {
            var http = new DefaultHttpContext { RequestServices = scope.ServiceProvider, User = user };
            return (await EvaluateAsync(http, policies).ConfigureAwait(false)).Result;
        }
    }
}
