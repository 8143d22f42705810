using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;

namespace ServiceMesh.Support;

/// <summary>The configuration of a redis-server for a test.</summary>
public sealed record RedisServerOptions
{
    /// <summary>The password of clients; null for none.</summary>
    public string? Password { get; init; }

    /// <summary>The certificates of TLS, which is then the only protocol; null for plain TCP.</summary>
    public TestCertificates? Certificates { get; init; }

    /// <summary>A configuration file with which the server is a Sentinel, and which it writes to; null for a server with data.</summary>
    public string? Sentinel { get; init; }

    /// <summary>Further options of redis-server, for instance <c>--maxmemory 1</c>.</summary>
    public IReadOnlyList<string> Arguments { get; init; } = [];
}

/// <summary>
/// A real redis-server on a free loopback port with nothing on disk, stopped by its process id. It can be killed and
/// started again on the same port.
/// </summary>
public sealed class RedisServer : IAsyncDisposable
{
    // A start usually takes a tenth of a second, and some seconds on a busy machine.
    private static readonly TimeSpan s_startLimit = TimeSpan.FromSeconds(20);

    private readonly RedisServerOptions _options;

    // A replica writes what it gets from its master into a file, which a server that starts in the same folder would read.
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("servicemesh-redis-");
    private Process? _process;

    private RedisServer(int port, RedisServerOptions options)
    {
        Port = port;
        _options = options;
    }

    public int Port { get; }

    public string Address => $"127.0.0.1:{Port}";

    /// <param name="arguments">Further options of redis-server, for instance <c>--maxmemory 1</c>.</param>
    public static Task<RedisServer> StartAsync(params string[] arguments) => StartAsync(new RedisServerOptions { Arguments = arguments });

    public static async Task<RedisServer> StartAsync(RedisServerOptions options)
    {
        for (var attempt = 1; ; attempt++)
        {
            var server = new RedisServer(FreePort.Next(), options);
            try
            {
                await server.StartAgainAsync();
                return server;
            }
            catch (InvalidOperationException) when (attempt < 3)
            {
                // Another process has taken the port meanwhile.
            }
        }
    }

    public async Task StartAgainAsync()
    {
        File.Delete(Path.Combine(_folder.FullName, "dump.rdb"));
        var said = new ConcurrentQueue<string>();
        var ready = new TaskCompletionSource<bool>(TaskCreationOptions.RunContinuationsAsynchronously);
        _process = ChildProcesses.Start(new ProcessStartInfo("redis-server", Arguments())
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        });
        _process.OutputDataReceived += (_, line) =>
        {
            said.Enqueue(line.Data ?? "");
            if (line.Data is null || line.Data.Contains(ReadyLine, StringComparison.Ordinal))
            {
                ready.TrySetResult(line.Data is not null);
            }
        };
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
        try
        {
            if (await ready.Task.WaitAsync(s_startLimit))
            {
                return;
            }
        }
        catch (TimeoutException)
        {
            // The exception below reports it.
        }

        await KillAsync();
        throw new InvalidOperationException($"redis-server did not start on port {Port}: {string.Join('\n', said)}");
    }

    /// <summary>Kills it as <c>kill -9</c> does, and waits until it is gone.</summary>
    public async Task KillAsync()
    {
        await ChildProcesses.EndAsync(_process!);
        _process = null;
    }

    /// <summary>Suspends it, as <c>kill -STOP</c> does: its connections stay open, and it does not answer.</summary>
    public Task FreezeAsync() => SignalAsync("STOP");

    /// <summary>Resumes it.</summary>
    public Task ThawAsync() => SignalAsync("CONT");

    /// <summary>
    /// All bytes that it has read: from clients, and on the bus of a cluster. Linux counts them; Redis has no figure for its bus.
    /// </summary>
    public long BytesRead => long.Parse(
        File.ReadLines($"/proc/{_process!.Id}/io").Single(line => line.StartsWith("rchar:", StringComparison.Ordinal))["rchar:".Length..],
        CultureInfo.InvariantCulture);

    /// <summary>A connection for the test, with the password if there is one.</summary>
    public async Task<RedisClient> ConnectAsync()
    {
        var client = await RedisClient.ConnectAsync(Port, _options.Certificates);
        if (_options.Password is { } password)
        {
            await client.SendAsync("AUTH", password);
        }

        return client;
    }

    /// <summary>Sends one command over a new connection and returns the reply.</summary>
    /// <exception cref="InvalidOperationException">Redis answered with an error.</exception>
    public async Task<object?> CommandAsync(params string[] words)
    {
        using var client = await ConnectAsync();
        return await client.SendAsync(words);
    }

    private async Task SignalAsync(string signal)
    {
        using var kill = Process.Start("kill", [$"-{signal}", $"{_process!.Id}"]);
        await kill.WaitForExitAsync();
    }

    public async ValueTask DisposeAsync()
    {
        if (_process is not null)
        {
            await KillAsync();
        }

        if (Directory.Exists(_folder.FullName))
        {
            _folder.Delete(recursive: true);
        }
    }

    private string ReadyLine => _options.Sentinel is null ? "Ready to accept connections" : "+monitor master";

    private IEnumerable<string> Arguments() => _options.Sentinel is { } file
        ? [file, "--sentinel", .. PortArguments(), "--bind", "127.0.0.1", "--daemonize", "no"]
        : DataArguments();

    private IEnumerable<string> PortArguments() => _options.Certificates is { } files
        ?
        [
            "--port", "0", "--tls-port", $"{Port}", "--tls-cert-file", files.Server, "--tls-key-file", files.ServerKey,
            "--tls-ca-cert-file", files.Authority, "--tls-auth-clients", "no", "--tls-replication", "yes",
        ]
        : ["--port", $"{Port}"];

    private IEnumerable<string> DataArguments() =>
    [
        .. PortArguments(),
        // The delay is that of a replica's first copy, for others to join.
        "--bind", "127.0.0.1", "--repl-diskless-sync-delay", "0", "--save", "", "--appendonly", "no", "--daemonize", "no",
        "--dir", _folder.FullName,
        .. _options.Password is { } password ? (string[])["--requirepass", password] : [],
        .. _options.Arguments,
    ];
}
