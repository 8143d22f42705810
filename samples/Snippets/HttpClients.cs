using System.Net.Http.Json;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using ServiceMesh.Http;

namespace Snippets;

public static class HttpClients
{
    #region add
    public static IHost Build(string[] args)
    {
        var builder = Host.CreateApplicationBuilder(args);
        builder.Services.AddHttpClient("weather", http => http.BaseAddress = new Uri("http://weather/")).AddServiceMesh();
        return builder.Build();
    }
    #endregion

    #region use
    public static async Task<Reading[]> FetchAsync(IHttpClientFactory clients, string city, CancellationToken cancellationToken)
    {
        var http = clients.CreateClient("weather");
        return await http.GetFromJsonAsync<Reading[]>($"api/v2/readings?city={Uri.EscapeDataString(city)}", cancellationToken) ?? [];
    }
    #endregion

    #region client
    public static void AddSearch(IServiceCollection services) => services.AddHttpClient("search")
        .AddServiceMesh()
        .ConfigureServiceMesh(client =>
        {
            client.RetryOn = answer => (int)answer.StatusCode is 404 or 503; // replicas are filled one after the other
            client.IsFailed = answer => (int)answer.StatusCode >= 500;
            client.TotalTimeout = TimeSpan.FromSeconds(5);
        });
    #endregion

    #region handler
    public static HttpClient MakeClient() => new(new ServiceMeshHandler(new HttpTransportOptions
    {
        Services = { ["weather"] = new() { Address = "dns://weather.internal:5080" } },
        Timeouts = { Attempt = TimeSpan.FromSeconds(2) },
    }));
    #endregion

    #region options
    public static async Task<HttpResponseMessage> OrderAsync(
        HttpClient http, string customer, Reading[] readings, CancellationToken cancellationToken)
    {
        using var content = JsonContent.Create(readings);
        using var request = new HttpRequestMessage(HttpMethod.Post, "http://weather/api/v2/orders") { Content = content }
            .SetIdempotent()
            .SetBalancingKey(customer)
            .SetRetry(new() { Attempts = 2, AttemptTimeout = TimeSpan.FromSeconds(1) });
        return await http.SendAsync(request, cancellationToken);
    }
    #endregion

    #region failures
    public static async Task<string> AskAsync(HttpClient http, CancellationToken cancellationToken)
    {
        try
        {
            return await http.GetStringAsync(new Uri("http://weather/api/v2/forecast"), cancellationToken);
        }
        catch (TaskCanceledException timeout) when (timeout.InnerException is PhaseTimeoutException phase)
        {
            return $"{phase.Endpoint} was too slow: {phase.Phase} may take {phase.Limit}.";
        }
        catch (HttpRequestException failure) when (failure.InnerException is RequestNotSentException or CircuitOpenException)
        {
            return $"Nothing was sent: {failure.Message}";
        }
        catch (HttpRequestException failure)
        {
            return $"No answer, or one with status {failure.StatusCode}: {failure.Message}";
        }
    }
    #endregion
}
