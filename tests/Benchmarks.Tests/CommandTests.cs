using System.Diagnostics;
using System.Runtime.InteropServices;
using NUnit.Framework;
using ServiceMesh.Support;

namespace ServiceMesh.Benchmarks.Tests;

/// <summary>The commands in processes of their own, started as <c>dotnet run</c> starts them and as <c>dotnet FILE</c> does.</summary>
public sealed class CommandTests
{
    private static readonly string s_program = Path.Combine(AppContext.BaseDirectory, "ServiceMesh.Benchmarks");

    [TestCase(true)]
    [TestCase(false)]
    public async Task Start_up_is_measured_in_fresh_processes(bool asExecutable)
    {
        var said = await RunAsync(asExecutable, "startup", "--transport", "none,inmemory", "--rounds", "1");
        Assert.That(said.Split('\n').Select(line => line.Split(' ')[0]), Is.SupersetOf((string[])["none", "inmemory"]));
    }

    private static async Task<string> RunAsync(bool asExecutable, params string[] arguments)
    {
        var start = asExecutable
            ? new ProcessStartInfo(s_program + (RuntimeInformation.IsOSPlatform(OSPlatform.Windows) ? ".exe" : ""), arguments)
            : new ProcessStartInfo(Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet", [s_program + ".dll", .. arguments]);
        start.RedirectStandardOutput = true;
        using var process = ChildProcesses.Start(start);
        try
        {
            var said = await process.StandardOutput.ReadToEndAsync();
            await process.WaitForExitAsync();
            Assert.That(process.ExitCode, Is.Zero, said);
            return said;
        }
        finally
        {
            await ChildProcesses.EndAsync(process);
        }
    }
}
