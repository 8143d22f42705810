using System.Security.Claims;
using System.Text.Encodings.Web;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;
using NUnit.Framework;

namespace ServiceMesh.Http.Tests;

/// <summary>Who the caller is while policies with schemes of their own are evaluated for it, and until when.</summary>
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
public sealed class HttpCallerTests : IDisposable
{
    private static readonly Topic s_topic = Topic.Parse("test.ask");

    private readonly FakeTimeProvider _clock = new(DateTimeOffset.UtcNow);
    private readonly ServiceProvider _services;
    private readonly HttpCaller _caller;

    public HttpCallerTests()
    {
        var services = new ServiceCollection().AddLogging();
        services.AddAuthentication()
            .AddScheme<AuthenticationSchemeOptions, OneMinute>("minute", null)
            .AddScheme<AuthenticationSchemeOptions, Nothing>("nothing", null);
        services.AddAuthorization(o =>
        {
            o.AddPolicy("minute", policy => policy.AddAuthenticationSchemes("minute").RequireAuthenticatedUser());
            o.AddPolicy("nothing", policy => policy.AddAuthenticationSchemes("nothing").RequireAuthenticatedUser());
        });
        services.AddSingleton<TimeProvider>(_clock);
        _services = services.BuildServiceProvider();
        var http = new DefaultHttpContext
        {
            RequestServices = _services,
            User = new(new ClaimsIdentity([new(ClaimTypes.Name, "ann")], "server")),
        };
        _caller = new(http, hasToken: false, new TopicPolicies(_services), _clock);
    }

    [Test]
    public async Task The_authentication_by_a_policy_ends_when_its_ticket_does()
    {
        Assert.That(await _caller.RefuseAsync(s_topic, ["minute"]), Is.Null);
        Assert.That(_caller.Expires, Is.EqualTo(_clock.GetUtcNow().AddMinutes(1)).Within(TimeSpan.FromSeconds(1)));

        _clock.Advance(TimeSpan.FromMinutes(2));

        var refusal = await _caller.RefuseAsync(s_topic, ["minute"]);
        Assert.That((refusal?.Status, refusal?.NotProcessed), Is.EqualTo(((StatusCode?)StatusCode.Unauthorized, (bool?)true)));
    }

    [Test]
    public async Task A_policy_that_fails_does_not_change_who_the_caller_is()
    {
        var refusal = await _caller.RefuseAsync(s_topic, ["nothing"]);

        Assert.That(refusal?.Status, Is.EqualTo(StatusCode.Unauthorized));
        Assert.That(_caller.Principal.Identity!.Name, Is.EqualTo("ann"));
        Assert.That(await _caller.RefuseAsync(s_topic, [""]), Is.Null, "the default policy admits every authenticated caller");
    }

    [Test]
    public async Task A_handler_sees_who_satisfied_its_own_policies()
    {
        var (one, other) = (_caller.OfMessage(), _caller.OfMessage());

        await one.RefuseAsync(s_topic, ["minute"]);
        await other.RefuseAsync(s_topic, [""]);

        Assert.That((one.Principal.Identity!.Name, other.Principal.Identity!.Name), Is.EqualTo(("bob", "ann")));
        Assert.That(_caller.Principal.Identity!.Name, Is.EqualTo("ann"));
    }

    public void Dispose() => _services.Dispose();

    private sealed class OneMinute(IOptionsMonitor<AuthenticationSchemeOptions> options, ILoggerFactory loggers, UrlEncoder encoder)
        : AuthenticationHandler<AuthenticationSchemeOptions>(options, loggers, encoder)
    {
        protected override Task<AuthenticateResult> HandleAuthenticateAsync() => Task.FromResult(AuthenticateResult.Success(new(
            new(new ClaimsIdentity([new(ClaimTypes.Name, "bob")], "minute")),
            new AuthenticationProperties { ExpiresUtc = TimeProvider.GetUtcNow().AddMinutes(1) }, "minute")));
    }

    private sealed class Nothing(IOptionsMonitor<AuthenticationSchemeOptions> options, ILoggerFactory loggers, UrlEncoder encoder)
        : AuthenticationHandler<AuthenticationSchemeOptions>(options, loggers, encoder)
    {
        protected override Task<AuthenticateResult> HandleAuthenticateAsync() => Task.FromResult(AuthenticateResult.NoResult());
    }
}
