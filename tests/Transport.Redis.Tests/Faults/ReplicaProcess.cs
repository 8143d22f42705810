using System.Diagnostics;
using NUnit.Framework;
using ServiceMesh.Support;

namespace ServiceMesh.Redis.Tests.Faults;

/// <summary>The program of <c>tests/Replica</c> as a process of its own.</summary>
internal sealed class ReplicaProcess : IAsyncDisposable
{
    private static readonly TimeSpan s_failsafe = TimeSpan.FromMinutes(1);

    private Process? _process;

    private ReplicaProcess(Process process) => _process = process;

    /// <summary>Starts it, and waits for the first line that it prints.</summary>
    /// <param name="redis">As <c>Redis:Configuration</c> takes it.</param>
    /// <param name="arguments">More of its arguments.</param>
    /// <param name="authority">A certificate file that it trusts besides the machine's.</param>
    public static async Task<(ReplicaProcess Process, string Says)> StartAsync(string redis, string[] arguments, string? authority = null)
    {
        var own = new DirectoryInfo(AppContext.BaseDirectory);
        var program = Path.Combine(own.FullName, "..", "..", "..", "..", "Replica", "bin", own.Parent!.Name, own.Name, "Replica.dll");
        var start = new ProcessStartInfo(
            "dotnet", [program, "--ServiceMesh:Transport", "Redis", "--ServiceMesh:Redis:Configuration", redis, .. arguments])
        {
            RedirectStandardOutput = true,
        };
        if (authority is not null)
        {
            start.Environment["SSL_CERT_FILE"] = authority;
        }

        var replica = new ReplicaProcess(ChildProcesses.Start(start));
        var says = await replica._process!.StandardOutput.ReadLineAsync().WaitAsync(s_failsafe);
        return (replica, says ?? "nothing");
    }

    /// <summary>Starts one that serves, and waits until it does.</summary>
    public static async Task<ReplicaProcess> ServeAsync(string redis, string name, params string[] arguments)
    {
        var (replica, says) = await StartAsync(redis, ["--ServiceMesh:NodeName", name, .. arguments]);
        Assert.That(says, Is.EqualTo("ready"));
        return replica;
    }

    /// <summary>Kills it as <c>kill -9</c> does.</summary>
    public async Task KillAsync()
    {
        await ChildProcesses.EndAsync(_process!);
        _process = null;
    }

    /// <summary>Stops it where it stands, as <c>kill -STOP</c> does.</summary>
    public Task FreezeAsync() => SignalAsync("STOP");

    /// <summary>Lets it go on.</summary>
    public Task ThawAsync() => SignalAsync("CONT");

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
    }
}
