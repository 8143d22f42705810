using System.Collections.Concurrent;
using System.Diagnostics;

namespace ServiceMesh.Support;

/// <summary>A real nats-server on a free loopback port with nothing on disk, stopped by its process id.</summary>
public sealed class NatsServer : IAsyncDisposable
{
    // A start usually takes a tenth of a second, and some seconds on a busy machine.
    private static readonly TimeSpan s_startLimit = TimeSpan.FromSeconds(20);

    private readonly Process _process;

    private NatsServer(Process process, int port) => (_process, Port) = (process, port);

    public int Port { get; }

    public string Address => $"127.0.0.1:{Port}";

    /// <param name="arguments">Further options of nats-server, for instance <c>-m PORT</c> for its monitoring.</param>
    /// <exception cref="InvalidOperationException">The server did not start on three ports.</exception>
    public static async Task<NatsServer> StartAsync(params string[] arguments)
    {
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                return await StartAsync(FreePort.Next(), arguments);
            }
            catch (InvalidOperationException) when (attempt < 3)
            {
                // Another process has taken the port meanwhile.
            }
        }
    }

    public async ValueTask DisposeAsync() => await ChildProcesses.EndAsync(_process);

    private static async Task<NatsServer> StartAsync(int port, string[] arguments)
    {
        var said = new ConcurrentQueue<string>();
        var ready = new TaskCompletionSource<bool>(TaskCreationOptions.RunContinuationsAsynchronously);
        var process = ChildProcesses.Start(new ProcessStartInfo("nats-server", ["-a", "127.0.0.1", "-p", $"{port}", .. arguments])
        {
            RedirectStandardError = true,
        });
        process.ErrorDataReceived += (_, line) =>
        {
            said.Enqueue(line.Data ?? "");
            if (line.Data is null || line.Data.Contains("Server is ready", StringComparison.Ordinal))
            {
                ready.TrySetResult(line.Data is not null);
            }
        };
        process.BeginErrorReadLine();
        try
        {
            if (await ready.Task.WaitAsync(s_startLimit))
            {
                return new(process, port);
            }
        }
        catch (TimeoutException)
        {
            // The exception below reports it.
        }

        await ChildProcesses.EndAsync(process);
        throw new InvalidOperationException($"nats-server did not start on port {port}: {string.Join('\n', said)}");
    }
}
