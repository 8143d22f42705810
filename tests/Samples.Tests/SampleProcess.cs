using System.Diagnostics;
using ServiceMesh.Support;

namespace ServiceMesh.Samples.Tests;

/// <summary>The exit code and the output of a sample.</summary>
internal sealed record Run(int ExitCode, string[] Out, string[] Error)
{
    public string OnlyError => Error.Length == 1 ? Error[0] : throw new AssertionException($"Expected one line on stderr: {this}");

    public override string ToString() => $"exit code {ExitCode}\nstdout:\n{string.Join('\n', Out)}\nstderr:\n{string.Join('\n', Error)}";
}

/// <summary>A built sample in a separate process, as a user runs it.</summary>
internal sealed class SampleProcess : IDisposable
{
    // A sample takes less than some seconds, so one that takes a minute hangs.
    private static readonly TimeSpan s_failsafe = TimeSpan.FromMinutes(1);

    private readonly Process _process;
    private readonly CancellationTokenSource _failsafe = new(s_failsafe);
    private readonly Task<string> _out;
    private readonly List<string> _error = [];

    private SampleProcess(ProcessStartInfo start)
    {
        _process = ChildProcesses.Start(start);
        _process.StandardInput.Close();
        _out = _process.StandardOutput.ReadToEndAsync(_failsafe.Token);
    }

    /// <summary>The working copy that these tests were built from.</summary>
    public static string Repository { get; } = Above(AppContext.BaseDirectory, "ServiceMesh.sln");

    /// <summary>
    /// The output folder of a sample, in the configuration of these tests: <c>bin/CONFIGURATION/net10.0</c>. Of <c>Shop.Orders</c> it is
    /// below <c>Shop/Orders</c>.
    /// </summary>
    public static string OutputOf(string sample)
    {
        var own = new DirectoryInfo(AppContext.BaseDirectory);
        return Path.Combine(Repository, "samples", sample.Replace('.', '/'), "bin", own.Parent!.Name, own.Name);
    }

    public static Task<Run> RunAsync(string sample, params string[] args) => RunAsync(sample, args, null);

    public static async Task<Run> RunAsync(string sample, string[] args, string? directory, params (string Key, string Value)[] environment)
    {
        using var process = Start(sample, args, directory, environment);
        return await process.EndAsync();
    }

    public static SampleProcess Start(
        string sample, string[] args, string? directory = null, params (string Key, string Value)[] environment)
    {
        var start = new ProcessStartInfo("dotnet", [Path.Combine(OutputOf(sample), $"{sample}.dll"), .. args])
        {
            WorkingDirectory = directory ?? TestContext.CurrentContext.WorkDirectory,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach (var (key, value) in environment)
        {
            start.Environment[key] = value;
        }

        return new(start);
    }

    /// <summary>Waits for a line on stderr that contains the text.</summary>
    public async Task<string> WaitForErrorLineAsync(string text)
    {
        while (await _process.StandardError.ReadLineAsync(_failsafe.Token) is { } line)
        {
            _error.Add(line);
            if (line.Contains(text, StringComparison.Ordinal))
            {
                return line;
            }
        }

        throw new AssertionException($"The process ended without the line '{text}' on stderr: {await EndAsync()}");
    }

    /// <summary>Sends SIGTERM, as a service manager does.</summary>
    public async Task TerminateAsync()
    {
        using var kill = Process.Start("sh", ["-c", $"kill -TERM {_process.Id}"]);
        await kill.WaitForExitAsync(_failsafe.Token);
    }

    /// <summary>Waits until the process has ended by itself.</summary>
    public async Task<Run> EndAsync()
    {
        var rest = await _process.StandardError.ReadToEndAsync(_failsafe.Token);
        var printed = await _out;
        await _process.WaitForExitAsync(_failsafe.Token);
        return new(_process.ExitCode, LinesOf(printed), [.. _error, .. LinesOf(rest)]);
    }

    public void Dispose()
    {
        ChildProcesses.End(_process);
        _failsafe.Dispose();
    }

    private static string[] LinesOf(string text) => text.Length == 0 ? [] : text.TrimEnd('\n').Split('\n');

    private static string Above(string start, string file)
    {
        var directory = new DirectoryInfo(start);
        while (!File.Exists(Path.Combine(directory.FullName, file)))
        {
            directory = directory.Parent ?? throw new AssertionException($"No folder above {start} has {file}.");
        }

        return directory.FullName;
    }
}
