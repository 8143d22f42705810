using System.Net.Http.Headers;
using System.Text;
using Microsoft.Extensions.DependencyInjection;
using NUnit.Framework;
using ServiceMesh.Conformance;
using ServiceMesh.Support;
using static ServiceMesh.Http.Tests.HttpNodes;

namespace ServiceMesh.Http.Tests;

/// <summary>A service answers in the format in which it was asked, whichever it is configured to write itself.</summary>
public sealed class SerializerTests : IDisposable
{
    private static readonly RequestTopic<string, int[]> s_fetch = new("weather.fetch");

    private readonly HttpClient _http = new();

    public void Dispose() => _http.Dispose();

    [TestCase("Json")]
    [TestCase("MessagePack")]
    public async Task A_client_of_each_format_receives_replies_in_its_format(string serializer)
    {
        var port = FreePort.Next();
        await using var node = await HttpNodes.StartAsync(
            mesh => mesh.AddMessagePackSerializer().AddHandler(
                s_fetch, (city, _) => new[] { city.Length, 29 }), Listen(port), ("Serializer", serializer));
        var url = $"http://127.0.0.1:{port}/mesh/v1/request/weather.fetch";

        var json = await AskAsync(url, "application/json", Encoding.UTF8.GetBytes("\"pune\""));
        byte[] pune = [0xA4, (byte)'p', (byte)'u', (byte)'n', (byte)'e'];
        var packed = await AskAsync(url, "application/msgpack", pune);

        byte[] answer = [0x92, 4, 29];
        Assert.That((json.ContentType, Encoding.UTF8.GetString(json.Body)), Is.EqualTo(("application/json", "[4,29]")));
        Assert.That(packed.ContentType, Is.EqualTo("application/msgpack"));
        Assert.That(packed.Body, Is.EqualTo(answer));
    }

    [TestCase("Json", "MessagePack")]
    [TestCase("MessagePack", "Json")]
    public async Task Nodes_that_are_configured_differently_call_each_other(string callers, string servers)
    {
        var port = FreePort.Next();
        await using var server = await HttpNodes.StartAsync(
            mesh => mesh.AddMessagePackSerializer().AddHandler(
                s_fetch, (city, _) => new[] { city.Length, 29 }), Listen(port), ("Serializer", servers));
        await using var caller = await HttpNodes.StartAsync(
            mesh => mesh.AddMessagePackSerializer(), Service("weather", port), ("Serializer", callers));

        Assert.That(await caller.Bus.RequestAsync(s_fetch, "pune").InTime(), Is.EqualTo([4, 29]));
    }

    private async Task<(string? ContentType, byte[] Body)> AskAsync(string url, string contentType, byte[] body)
    {
        using var content = new ByteArrayContent(body);
        content.Headers.ContentType = new MediaTypeHeaderValue(contentType);
        using var response = await _http.PostAsync(new Uri(url), content);
        return (response.Content.Headers.ContentType?.MediaType, await response.Content.ReadAsByteArrayAsync());
    }
}
