using System.Net.Http.Json;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using ServiceMesh.Http;
using ServiceMesh.Support;

namespace ServiceMesh.Faults.Tests;

/// <summary>A program without a bus, whose HttpClient sends through ServiceMesh.</summary>
internal sealed class HttpClientCaller : Caller
{
    private readonly ServiceProvider _provider;
    private int _number;

    public HttpClientCaller(IEnumerable<(string Key, string Value)> settings, Action<HttpTransportOptions> configure)
    {
        var services = new ServiceCollection();
        var ofHttp = settings.Select(s => KeyValuePair.Create<string, string?>($"ServiceMesh:Http:{s.Key}", s.Value));
        services.AddSingleton<IConfiguration>(new ConfigurationBuilder().AddInMemoryCollection(ofHttp).Build());
        services.AddHttpClient("weather", http => http.BaseAddress = new("http://weather/")).AddServiceMesh(configure: configure);
        _provider = services.BuildServiceProvider();
        Client = _provider.GetRequiredService<IHttpClientFactory>().CreateClient("weather");
    }

    public HttpClient Client { get; }

    public override IServiceProvider Services => _provider;

    public override ValueTask DisposeAsync() => _provider.DisposeAsync();

    // Requests as applications send them: a GET, or a POST with JSON, without a body, and with a stream.
    protected override async Task<Seen> SeeAsync(bool isIdempotent, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(isIdempotent ? HttpMethod.Get : HttpMethod.Post, "ask");
        var number = Interlocked.Increment(ref _number);
        request.Headers.Add("request-id", $"{number}");
        request.Content = isIdempotent ? null : (number % 3) switch
        {
            0 => JsonContent.Create("pune"),
            1 => null,
            _ => new StreamContent(new MemoryStream("pune"u8.ToArray())),
        };
        try
        {
            using var response = await Client.SendAsync(request, cancellationToken);
            var isAnswer = response.IsSuccessStatusCode && response.Content.Headers.ContentType?.MediaType == "application/json";
            return new(
                (int)response.StatusCode,
                isAnswer ? "" : await response.Content.ReadAsStringAsync(cancellationToken),
                isAnswer ? (await response.Content.ReadFromJsonAsync<FaultServerAnswer>(cancellationToken))!.Server : null);
        }
        catch (Exception failure) when (failure is HttpRequestException or TaskCanceledException)
        {
            return new((int?)(failure as HttpRequestException)?.StatusCode, failure.Message, Exception: failure);
        }
    }
}
