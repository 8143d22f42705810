using System.Net;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using NUnit.Framework;
using ServiceMesh.Conformance;

namespace ServiceMesh.Http.Tests.Web;

/// <summary>Replies and failures of the bus in a web application on Kestrel, as its callers see them.</summary>
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
public sealed class ProblemDetailsTests : IAsyncDisposable
{
    private const string Secret = "card declined, number 4111";

    private static readonly RequestTopic<string, string> s_ask = new("web.ask");
    private static readonly RequestTopic<string, string> s_gone = new("web.gone");
    private static readonly RequestTopic<string, string> s_slow = new("web.slow");
    private static readonly RequestTopic<string, string> s_late = new("web.late");
    private static readonly RequestTopic<string, Unit> s_unit = new("web.unit");

    private WebApplication _app = null!;
    private HttpClient _http = null!;
    private Held _slow = new();

    public async ValueTask DisposeAsync()
    {
        _slow.Release();
        _http.Dispose();
        await _app.DisposeAsync().AsTask().InTime();
    }

    [TestCase("gone", 404, "Not Found", "There is no service for this request now.", null)]
    [TestCase("late", 408, "Request Timeout", "The request took too long.", null)]
    [TestCase("full", 429, "Too Many Requests", "The service has too much to do. Try again later.", "1")]
    [TestCase("down", 503, "Service Unavailable", "The service is unavailable. Try again later.", "7")]
    [TestCase("overrun", 504, "Gateway Timeout", "The service took too long.", null)]
    [TestCase("throws", 500, "Internal Server Error", "The service failed.", null)]
    [TestCase("999", 500, "Internal Server Error", "The service failed.", null)]
    [TestCase("301", 500, "Internal Server Error", "The service failed.", null)]
    [TestCase("404", 404, "Not Found", "Not today, “Bob”.", null)]
    [TestCase("409", 409, "Conflict", "Not today, “Bob”.", null)]
    [TestCase("429", 429, "Too Many Requests", "Not today, “Bob”.", "1")]
    public async Task A_failure_is_problem_details_whether_it_is_returned_or_thrown(
        string name, int status, string title, string detail, string? retryAfter)
    {
        await StartAsync();
        foreach (var way in (string[])["returned", "thrown"])
        {
            using var response = await _http.GetAsync(new Uri($"/{way}/{name}", UriKind.Relative)).InTime();
            var problem = JsonNode.Parse(await response.Content.ReadAsStringAsync())!.AsObject();
            using (Assert.EnterMultipleScope())
            {
                Assert.That(((int)response.StatusCode, $"{response.Content.Headers.ContentType}"), Is.EqualTo((
                    status, "application/problem+json")), way);
                Assert.That(((int)problem["status"]!, (string)problem["title"]!, (string)problem["detail"]!), Is.EqualTo((
                    status, title, detail)), way);
                Assert.That((string)problem["type"]!, Is.EqualTo("about:blank"));
                Assert.That((string)problem["traceId"]!, Is.Not.Empty);
                Assert.That($"{response.Headers.RetryAfter}", Is.EqualTo(retryAfter ?? ""), way);
                Assert.That($"{response.Headers.CacheControl}", Is.EqualTo("no-store"));
            }
        }
    }

    [Test]
    public async Task In_development_the_detail_is_that_of_the_bus()
    {
        await StartAsync("Development");

        Assert.That(await DetailAsync("/returned/throws"), Does.Contain(Secret));
        Assert.That(await DetailAsync("/thrown/gone"), Does.Contain("No node handles 'web.gone'"));
    }

    [Test]
    public async Task The_body_is_written_by_the_problem_details_of_the_application_if_it_has_them()
    {
        await StartAsync(services: services => services.AddProblemDetails(options =>
            options.CustomizeProblemDetails = context => context.ProblemDetails.Extensions["shop"] = "blue"));

        using var response = await _http.GetAsync(new Uri("/thrown/down", UriKind.Relative)).InTime();
        var problem = JsonNode.Parse(await response.Content.ReadAsStringAsync())!;

        Assert.That(((string)problem["shop"]!, (int)problem["status"]!, $"{response.Headers.RetryAfter}"), Is.EqualTo(("blue", 503, "7")));
    }

    [TestCase("hello", 200, "\"hello\"")]
    [TestCase("201", 201, "\"201\"")]
    [TestCase("204", 200, "\"204\"")]
    [TestCase("100", 200, "\"100\"")]
    public async Task A_value_is_JSON_with_its_status(string input, int status, string body)
    {
        await StartAsync();
        using var response = await _http.GetAsync(new Uri($"/returned/{input}", UriKind.Relative)).InTime();

        Assert.That(((int)response.StatusCode, await response.Content.ReadAsStringAsync()), Is.EqualTo((status, body)));
    }

    [Test]
    public async Task A_reply_without_a_value_is_204()
    {
        await StartAsync();
        using var response = await _http.GetAsync(new Uri("/unit", UriKind.Relative)).InTime();

        Assert.That(response.StatusCode, Is.EqualTo(HttpStatusCode.NoContent));
    }

    [Test]
    public async Task Other_exceptions_and_an_answer_that_has_begun_are_left_alone()
    {
        await StartAsync();
        using var other = await _http.GetAsync(new Uri("/other", UriKind.Relative)).InTime();
        Assert.That((other.StatusCode, await other.Content.ReadAsStringAsync()), Is.EqualTo((HttpStatusCode.InternalServerError, "")));

        Assert.That(
            async () => await _http.GetStringAsync(new Uri("/begun", UriKind.Relative)).InTime(),
            Throws.InstanceOf<HttpRequestException>());
    }

    private async Task<string> DetailAsync(string path)
    {
        using var response = await _http.GetAsync(new Uri(path, UriKind.Relative)).InTime();
        return (string)JsonNode.Parse(await response.Content.ReadAsStringAsync())!["detail"]!;
    }

    private async Task StartAsync(string environment = "Production", Action<IServiceCollection>? services = null)
    {
        var builder = WebApplication.CreateEmptyBuilder(new() { EnvironmentName = environment });
        builder.WebHost.UseKestrelCore().UseUrls("http://127.0.0.1:0");
        builder.Services.AddRoutingCore();
        builder.Logging.SetMinimumLevel(LogLevel.None);
        services?.Invoke(builder.Services);
        builder.Services.AddServiceMesh(o => o.ErrorPolicy = ErrorPolicy.Ignore).AddInMemoryTransport()
            .AddHandler(s_ask, AnswerAsync)
            .AddHandler(s_late, new Held().HandleAsync)
            .AddHandler(s_unit, (_, _) => Unit.Value)
            .AddHandler(
                s_slow, (input, context) => _slow.HandleAsync(input, context),
                options => (options.MaxConcurrency, options.MaxQueued) = (1, 0))
            .AddHandler(
                new RequestTopic<string, string>("web.overrun"), new Held().HandleAsync,
                options => options.Timeout = TimeSpan.FromMilliseconds(50))
            .AddHandlerMiddleware<Down>();
        _app = builder.Build();
        _app.UseServiceMeshProblemDetails();
        _app.UseRouting();
        _app.MapGet("/returned/{name}", async (string name, IServiceBus bus) => (await AskAsync(bus, name)).ToHttpResult());
        _app.MapGet("/thrown/{name}", async (string name, IServiceBus bus) => (await AskAsync(bus, name)).GetValueOrThrow());
        _app.MapGet("/unit", async (IServiceBus bus) => (await bus.TryRequestAsync(s_unit, "")).ToHttpResult());
        _app.MapGet("/other", IResult () => throw new InvalidOperationException("not of the bus"));
        _app.MapGet("/begun", async (HttpContext http, IServiceBus bus) =>
        {
            http.Response.ContentLength = 100;
            await http.Response.WriteAsync("begun");
            await http.Response.Body.FlushAsync();
            await bus.RequestAsync(s_gone, "");
        });
        await _app.StartAsync().InTime();
        _http = new() { BaseAddress = new(_app.Urls.Single()) };
    }

    private async Task<Reply<string>> AskAsync(IServiceBus bus, string name)
    {
        switch (name)
        {
            case "gone":
                return await bus.TryRequestAsync(s_gone, "");
            case "late":
                return await bus.TryRequestAsync(s_late, "", new() { Timeout = TimeSpan.FromMilliseconds(50) });
            case "overrun":
                return await bus.TryRequestAsync(new RequestTopic<string, string>("web.overrun"), "");
            case "full":
                _slow = new();
                var first = bus.TryRequestAsync(s_slow, "");
                await _slow.EnteredAsync();
                var second = await bus.TryRequestAsync(s_slow, "");
                _slow.Release();
                await first;
                return second;

            default:
                return await bus.TryRequestAsync(s_ask, name);
        }
    }

    private static string AnswerAsync(string name, HandlerContext context)
    {
        if (name == "throws")
        {
            throw new InvalidOperationException(Secret);
        }

        if (int.TryParse(name, out var status))
        {
            context.Status = (StatusCode)status;
            return status < 300 ? name : throw new ReplyException((StatusCode)status, "Not today, “Bob”.");
        }

        return name;
    }

    private sealed class Down : IHandlerMiddleware
    {
        public ValueTask<ReplyMessage> HandleAsync(HandlerContext context, Func<HandlerContext, ValueTask<ReplyMessage>> next) =>
            context.Topic.ToString() == "web.ask" && context.Message.Body.Span.SequenceEqual("\"down\""u8)
                ? new(ReplyMessage.Failure(StatusCode.Unavailable, Secret, notProcessed: true, TimeSpan.FromSeconds(6.2)))
                : next(context);
    }
}
