using System.Diagnostics;

namespace ServiceMesh.Support;

/// <summary>Garnet on a free loopback port, in a process of its own: the sample WordCount in the role Redis.</summary>
public sealed class GarnetServer : IAsyncDisposable
{
    private static readonly TimeSpan s_startLimit = TimeSpan.FromSeconds(30);

    private readonly Process _process;

    private GarnetServer(Process process, int port) => (_process, Port) = (process, port);

    public int Port { get; }

    public string Address => $"127.0.0.1:{Port}";

    /// <param name="sample">The built sample: <c>WordCount.dll</c>.</param>
    public static async Task<GarnetServer> StartAsync(string sample)
    {
        for (var attempt = 1; ; attempt++)
        {
            var port = FreePort.Next();
            var process = ChildProcesses.Start(
                new ProcessStartInfo("dotnet", [sample, "--Role", "Redis", "--ServiceMesh:Redis:Configuration", $"127.0.0.1:{port}"])
                {
                    RedirectStandardError = true,
                });
            var said = await process.StandardError.ReadLineAsync().WaitAsync(s_startLimit);
            if (said?.Contains("listens on", StringComparison.Ordinal) == true)
            {
                _ = process.StandardError.ReadToEndAsync(); // so that it never waits for a reader
                return new(process, port);
            }

            await ChildProcesses.EndAsync(process);
            if (attempt == 3)
            {
                throw new InvalidOperationException($"Garnet did not start on port {port}: {said}");
            }
        }
    }

    public async ValueTask DisposeAsync() => await ChildProcesses.EndAsync(_process);
}
