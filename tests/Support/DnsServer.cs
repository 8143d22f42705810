using System.Diagnostics;
using System.Net;
using System.Net.Sockets;

namespace ServiceMesh.Support;

/// <summary>
/// A real dnsmasq on a free loopback port that knows only the records it is given, stopped by its process id. It can be
/// killed, and started again on the same port with other records.
/// </summary>
public sealed class DnsServer : IAsyncDisposable
{
    private string[] _records;
    private Process? _process;

    private DnsServer(int port, string[] records)
    {
        Port = port;
        _records = records;
    }

    public int Port { get; }

    public IPEndPoint EndPoint => new(IPAddress.Loopback, Port);

    /// <param name="records">
    /// dnsmasq's own options: <c>--host-record=a.internal,127.0.0.1</c>, <c>--cname=b.internal,a.internal</c>,
    /// <c>--srv-host=_mesh._tcp.internal,a.internal,5080,0,10</c>, <c>--txt-record=t.internal,text</c>, <c>--local-ttl=5</c>.
    /// </param>
    public static async Task<DnsServer> StartAsync(params string[] records)
    {
        var server = new DnsServer(FreePort(), records);
        await server.StartAgainAsync();
        return server;
    }

    /// <summary>Stops it and starts it again with these records.</summary>
    public async Task ChangeAsync(params string[] records)
    {
        _records = records;
        await KillAsync();
        await StartAgainAsync();
    }

    public async Task StartAgainAsync()
    {
        var start = new ProcessStartInfo("dnsmasq") { RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var argument in (string[])
        [
            "--keep-in-foreground", "--log-facility=-", "--conf-file=/dev/null", "--pid-file=", "--no-resolv", "--no-hosts", "--no-ident",
            "--bind-interfaces", "--listen-address=127.0.0.1", $"--port={Port}", "--local=/internal/", .. _records,
        ])
        {
            start.ArgumentList.Add(argument);
        }

        _process = Process.Start(start)!;
        _process.BeginOutputReadLine();
        var ready = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var said = "";
        _process.ErrorDataReceived += (_, line) =>
        {
            said += line.Data + "\n";
            if (line.Data is null)
            {
                ready.TrySetException(new InvalidOperationException($"dnsmasq did not start on port {Port}: {said}"));
            }
            else if (line.Data.Contains("started, version", StringComparison.Ordinal))
            {
                ready.TrySetResult();
            }
        };
        _process.BeginErrorReadLine();
        await ready.Task;
    }

    /// <summary>Kills it as <c>kill -9</c> does, and waits until it is gone.</summary>
    public async Task KillAsync()
    {
        if (_process is { } process)
        {
            _process = null;
            process.Kill(entireProcessTree: true); // with the children that serve TCP
            await process.WaitForExitAsync();
            process.Dispose();
        }
    }

    public async ValueTask DisposeAsync() => await KillAsync();

    // dnsmasq listens on TCP and UDP, so the port must be free for both.
    private static int FreePort()
    {
        while (true)
        {
            using var listener = new TcpListener(IPAddress.Loopback, 0);
            listener.Start();
            var port = ((IPEndPoint)listener.LocalEndpoint).Port;
            try
            {
                using var socket = new UdpClient(new IPEndPoint(IPAddress.Loopback, port));
                return port;
            }
            catch (SocketException)
            {
                // Another process uses the port for UDP: try the next one.
            }
        }
    }
}
