using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace ServiceMesh.Support;

/// <summary>A real nginx or HAProxy on free loopback ports, in front of other ports; stopped by its process id.</summary>
public sealed class ProxyServer : IAsyncDisposable
{
    // A start usually takes a tenth of a second, and some seconds on a busy machine.
    private static readonly TimeSpan s_startLimit = TimeSpan.FromSeconds(20);

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("servicemesh-proxy-");
    private readonly ConcurrentQueue<string> _said = new();
    private Process? _process;

    private ProxyServer()
    {
    }

    /// <summary>
    /// nginx that takes HTTP/2 in the clear and passes on HTTP/1.1, as it does by default: it keeps a body until it is complete.
    /// </summary>
    /// <param name="ports">The port of the proxy and the port behind it.</param>
    public static Task<ProxyServer> StartNginxAsync(IReadOnlyList<(int Front, int Back)> ports) => StartAsync(ports, folder =>
    {
        var servers = string.Join('\n', ports.Select(p => string.Create(CultureInfo.InvariantCulture, $$"""
                server {
                    listen 127.0.0.1:{{p.Front}} http2;
                    location / { proxy_pass http://127.0.0.1:{{p.Back}}; }
                }
            """)));
        var file = Write(folder, $$"""
            worker_processes 1;
            pid {{folder}}/pid;
            error_log stderr error;
            worker_rlimit_nofile 32768;
            events { worker_connections 16384; }
            http {
                access_log off;
                client_body_temp_path {{folder}}/body;
                proxy_temp_path {{folder}}/proxy;
                fastcgi_temp_path {{folder}}/fastcgi;
                uwsgi_temp_path {{folder}}/uwsgi;
                scgi_temp_path {{folder}}/scgi;
                client_max_body_size 0;
                large_client_header_buffers 8 256k;
                underscores_in_headers on;
                ignore_invalid_headers off;
                proxy_http_version 1.1;
                proxy_set_header Host $http_host;
                proxy_set_header Connection "";
                proxy_next_upstream off;
                proxy_buffer_size 256k;
                proxy_buffers 8 256k;
                proxy_busy_buffers_size 512k;
            {{servers}}
            }
            """);
        return new("nginx", ["-c", file, "-e", "stderr", "-g", "daemon off; master_process off;"]);
    });

    /// <summary>HAProxy that takes HTTP/2 in the clear.</summary>
    /// <param name="ports">The port of the proxy and the port behind it.</param>
    /// <param name="passesHttp2">Whether it passes on HTTP/2, and not HTTP/1.1.</param>
    public static Task<ProxyServer> StartHaproxyAsync(IReadOnlyList<(int Front, int Back)> ports, bool passesHttp2 = false) =>
        StartAsync(ports, folder =>
        {
            var listens = string.Join('\n', ports.Select(p => string.Create(CultureInfo.InvariantCulture, $"""
                listen node{p.Front}
                    bind 127.0.0.1:{p.Front} proto h2
                    server node 127.0.0.1:{p.Back}{(passesHttp2 ? " proto h2" : "")}
                """)));
            return new("haproxy", ["-db", "-f", Write(folder, $"""
                global
                    tune.bufsize 262144
                    tune.http.maxhdr 256
                defaults
                    mode http
                    retries 0
                    option abortonclose
                    timeout connect 3s
                    timeout client 70s
                    timeout server 70s
                {listens}

                """)]);
        });

    /// <summary>nginx with its defaults, on HTTP/1.1, in front of several servers that it takes in turn.</summary>
    public static Task<ProxyServer> StartNginxWithDefaultsAsync(int front, params IReadOnlyList<int> backs) =>
        StartAsync([(front, 0)], folder =>
        {
            var servers = string.Concat(backs.Select(back => $"server 127.0.0.1:{back.ToString(CultureInfo.InvariantCulture)}; "));
            return new("nginx", ["-c", Write(folder, $$"""
                worker_processes 1;
                pid {{folder}}/pid;
                error_log stderr error;
                events { }
                http {
                    access_log off;
                    client_body_temp_path {{folder}}/body;
                    proxy_temp_path {{folder}}/proxy;
                    fastcgi_temp_path {{folder}}/fastcgi;
                    uwsgi_temp_path {{folder}}/uwsgi;
                    scgi_temp_path {{folder}}/scgi;
                    upstream nodes { {{servers}} }
                    server {
                        listen 127.0.0.1:{{front.ToString(CultureInfo.InvariantCulture)}};
                        location / { proxy_pass http://nodes; }
                    }
                }
                """), "-e", "stderr", "-g", "daemon off; master_process off;"]);
        });

    /// <summary>HAProxy with its defaults, on HTTP/1.1, in front of several servers that it takes in turn.</summary>
    /// <param name="front">The port of the proxy.</param>
    /// <param name="setting">A further line of its configuration; empty for none.</param>
    /// <param name="backs">The ports behind it.</param>
    public static Task<ProxyServer> StartHaproxyWithDefaultsAsync(int front, string setting, params IReadOnlyList<int> backs) =>
        StartAsync([(front, 0)], folder =>
        {
            var servers = string.Join('\n', backs.Select((back, i) => string.Create(
                CultureInfo.InvariantCulture, $"    server node{i} 127.0.0.1:{back}")));
            return new("haproxy", ["-db", "-f", Write(folder, $"""
                defaults
                    mode http
                    timeout connect 3s
                    timeout client 70s
                    timeout server 70s
                listen nodes
                    bind 127.0.0.1:{front.ToString(CultureInfo.InvariantCulture)}
                    {setting}
                {servers}

                """)]);
        });

    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _process, null) is { } process)
        {
            await ChildProcesses.EndAsync(process);
        }

        _folder.Delete(recursive: true);
    }

    private static string Write(string folder, string configuration)
    {
        var file = Path.Combine(folder, "configuration");
        File.WriteAllText(file, configuration);
        return file;
    }

    private static async Task<ProxyServer> StartAsync(IReadOnlyList<(int Front, int Back)> ports, Func<string, ProcessStartInfo> make)
    {
        var proxy = new ProxyServer();
        var start = make(proxy._folder.FullName);
        (start.RedirectStandardError, start.RedirectStandardOutput) = (true, true);
        proxy._process = ChildProcesses.Start(start);
        proxy._process.ErrorDataReceived += (_, line) => proxy._said.Enqueue(line.Data ?? "");
        proxy._process.OutputDataReceived += (_, line) => proxy._said.Enqueue(line.Data ?? "");
        proxy._process.BeginErrorReadLine();
        proxy._process.BeginOutputReadLine();
        var waited = Stopwatch.StartNew();
        while (!await AnswersAsync(ports[^1].Front))
        {
            if (waited.Elapsed > s_startLimit || proxy._process.HasExited)
            {
                await proxy.DisposeAsync();
                throw new InvalidOperationException($"{start.FileName} did not start: {string.Join('\n', proxy._said)}");
            }

            await Task.Delay(10);
        }

        return proxy;
    }

    private static async Task<bool> AnswersAsync(int port)
    {
        using var client = new TcpClient();
        try
        {
            await client.ConnectAsync(IPAddress.Loopback, port);
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }
}
