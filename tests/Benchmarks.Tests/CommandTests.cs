using System.Diagnostics;
using System.Runtime.InteropServices;
using NUnit.Framework;
using ServiceMesh.Support;

namespace ServiceMesh.Benchmarks.Tests;

/// <summary>The commands in separate processes, started like <c>dotnet run</c> and like <c>dotnet FILE</c>.</summary>
public sealed class CommandTests
{
    private static readonly string s_program = Path.Combine(AppContext.BaseDirectory, "ServiceMesh.Benchmarks");

    private static string Executable => s_program + (RuntimeInformation.IsOSPlatform(OSPlatform.Windows) ? ".exe" : "");

    [TestCase(true)]
    [TestCase(false)]
    public async Task The_startup_command_measures_new_processes(bool asExecutable)
    {
        var output = await RunAsync(asExecutable, "startup", "--transport", "none,inmemory", "--rounds", "1");
        Assert.That(output.Split('\n').Select(line => line.Split(' ')[0]), Is.SupersetOf((string[])["none", "inmemory"]));
    }

    [Test]
    public async Task A_contestant_whose_server_is_missing_is_left_out_with_a_line()
    {
        var run = await CompareWithoutServersAsync("--transport", "inmemory/servicemesh,redis,nats");
        Assert.That(run.ExitCode, Is.Zero, run.Error);
        string[] lines = run.Out.Split('\n');
        Assert.That(lines, Has.One.EqualTo(
            "nats/natsnet is left out, because nats-server is missing. Install Debian's package nats-server."));
        Assert.That(lines, Has.One.EqualTo(
            "redis/bare is left out, because redis-server is missing. Install Debian's package redis-server."));
        Assert.That(lines, Has.One.StartsWith("inmemory/servicemesh   "), "a contestant without servers is measured");
        Assert.That(lines, Has.None.StartsWith("redis/bare   ").And.None.StartsWith("nats/natsnet   "));
    }

    [TestCase("--all")]
    [TestCase("--transport", "nats")]
    public async Task A_missing_server_is_an_error_of_a_complete_or_an_empty_comparison(params string[] arguments)
    {
        var run = await CompareWithoutServersAsync(arguments);
        Assert.That(run.ExitCode, Is.EqualTo(1));
        Assert.That(run.Error.Split('\n'), Has.One.StartsWith("nats/natsnet is left out, because nats-server is missing."));
        Assert.That(run.Out, Is.Empty, "nothing was measured");
    }

    [Test]
    public async Task Micro_benchmarks_run_with_BenchmarkDotNet()
    {
        var output = await RunAsync(true, "micro", "--milliseconds", "1", "--filter", "*LinkFrames.WriteReply*");
        Assert.That(output, Does.Contain("BenchmarkDotNet v0.15.8").And.Contain("| Median").And.Contain("| Allocated"));
    }

    // The PATH is an empty folder, so no program is found.
    private static async Task<(int ExitCode, string Out, string Error)> CompareWithoutServersAsync(params string[] arguments)
    {
        var empty = Directory.CreateTempSubdirectory();
        try
        {
            return await RunAsync(new ProcessStartInfo(
                Executable, ["compare", "--callers", "1", "--replicas", "1", "--seconds", "0.1", "--rounds", "1", .. arguments])
            {
                Environment = { ["PATH"] = empty.FullName },
            });
        }
        finally
        {
            empty.Delete();
        }
    }

    private static async Task<string> RunAsync(bool asExecutable, params string[] arguments)
    {
        var start = asExecutable
            ? new ProcessStartInfo(Executable, arguments)
            : new ProcessStartInfo(Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet", [s_program + ".dll", .. arguments]);
        var (exitCode, output, _) = await RunAsync(start);
        Assert.That(exitCode, Is.Zero, output);
        return output;
    }

    private static async Task<(int ExitCode, string Out, string Error)> RunAsync(ProcessStartInfo start)
    {
        (start.RedirectStandardOutput, start.RedirectStandardError) = (true, true);
        using var process = ChildProcesses.Start(start);
        try
        {
            var (output, error) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
            await process.WaitForExitAsync();
            return (process.ExitCode, await output, await error);
        }
        finally
        {
            await ChildProcesses.EndAsync(process);
        }
    }
}
