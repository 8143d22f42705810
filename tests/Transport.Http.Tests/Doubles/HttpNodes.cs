using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using ServiceMesh.Support;

namespace ServiceMesh.Http.Tests;

/// <summary>Nodes over HTTP in one line.</summary>
internal static class HttpNodes
{
    public static readonly RequestTopic<string, string> Ask = new("test.ask");
    public static readonly SignalTopic<string> News = new("test.news");

    public static (string Key, string Value) Listen(int port) => ("Http:Listen", $"http://127.0.0.1:{port}");

    public static (string Key, string Value) Service(string name, params int[] ports) =>
        ($"Http:Services:{name}:Address", $"static:{string.Join(',', ports.Select(port => $"127.0.0.1:{port}"))}");

    public static Task<TestNode> StartAsync(
        Action<IServiceMeshBuilder>? configure = null, params (string Key, string Value)[] settings) => TestNode.StartAsync(
        mesh =>
        {
            mesh.AddHttpTransport();
            configure?.Invoke(mesh);
        },
        [("Transport", "Http"), ("DrainTimeout", "00:00:05"), ("ErrorPolicy", "Ignore"), .. settings]);

    /// <summary>What a start is refused with.</summary>
    public static async Task<string> RefusalAsync(params (string Key, string Value)[] settings)
    {
        try
        {
            await using var node = await StartAsync(mesh => mesh.AddHandler(Ask, (input, _) => input), settings);
        }
        catch (Exception refusal) when (refusal is InvalidOperationException or OptionsValidationException)
        {
            return refusal.Message;
        }

        return "It started.";
    }
}
