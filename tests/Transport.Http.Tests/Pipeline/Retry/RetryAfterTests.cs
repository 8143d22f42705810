using System.Globalization;
using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;
using NUnit.Framework;

namespace ServiceMesh.Http.Tests;

/// <summary>Servers that ask to be left alone until a date.</summary>
[CancelAfter(20_000)]
public sealed class RetryAfterTests
{
    private static readonly Uri s_weather = new("http://weather/");

    [TestCase(1, 1)]
    [TestCase(-1, 3)]
    public async Task The_only_server_is_asked_after_its_Retry_After_or_not_at_all(
        int hoursFromNow, int asked, CancellationToken cancellationToken)
    {
        var requests = 0;
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0));
        await using var server = builder.Build();
        server.Run(context =>
        {
            Interlocked.Increment(ref requests);
            context.Response.StatusCode = 503;
            context.Response.Headers.RetryAfter = (DateTimeOffset.UtcNow + TimeSpan.FromHours(
                hoursFromNow)).ToString("r", CultureInfo.InvariantCulture);
            return Task.CompletedTask;
        });
        await server.StartAsync(cancellationToken);
        using var services = ServiceMeshHandlerTests.Services([], o => o.Services["weather"].Address = server.Urls.Single());
        using var http = new HttpClient(new ServiceMeshHandler(services, isOwner: false));

        using var response = await http.GetAsync(s_weather, cancellationToken);

        Assert.That((response.StatusCode, requests), Is.EqualTo((HttpStatusCode.ServiceUnavailable, asked)));
    }

    [Test]
    public void A_date_is_compared_with_the_injected_clock()
    {
        var clock = new FakeTimeProvider(DateTimeOffset.UnixEpoch.AddSeconds(100));

        Assert.That(RetryAfter.Of(new(DateTimeOffset.UnixEpoch.AddSeconds(130)), clock), Is.EqualTo(TimeSpan.FromSeconds(30)));
        Assert.That(RetryAfter.Of(new(DateTimeOffset.UnixEpoch), clock), Is.EqualTo(TimeSpan.Zero));
        Assert.That(RetryAfter.Of(null, clock), Is.Null);
    }
}
