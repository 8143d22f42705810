using System.Diagnostics;
using System.Text.RegularExpressions;
using NUnit.Framework;
using ServiceMesh.Support;

namespace ServiceMesh.Packages.Tests;

/// <summary>
/// A folder outside of the repository with the packages as a feed, and a shell in which a user works there. Made once for all tests of
/// this project.
/// </summary>
[SetUpFixture]
public sealed partial class Workshop
{
    private static readonly TimeSpan s_failsafe = TimeSpan.FromMinutes(4);

    /// <summary>The working copy that these tests were built from.</summary>
    public static string Repository { get; } = Above(AppContext.BaseDirectory, "ServiceMesh.sln");

    /// <summary>The folder of a user.</summary>
    public static string Root { get; private set; } = "";

    /// <summary>What a user has of this repository: <c>artifacts</c> and <c>templates</c>.</summary>
    public static string Delivered => Path.Combine(Root, "delivered");

    public static string Feed => Path.Combine(Delivered, "artifacts");

    [OneTimeSetUp]
    public async Task PackAsync()
    {
        Root = Path.Combine(Path.GetTempPath(), $"servicemesh-packages-{Guid.NewGuid():N}");
        Directory.CreateDirectory(Root);
        await RunAsync($"\"{Repository}/pack.sh\" --no-build \"{Feed}\" && cp -r \"{Repository}/templates\" \"{Delivered}/\"", Root);
        File.WriteAllText(Path.Combine(Root, "nuget.config"), await ConfigurationAsync());
    }

    [OneTimeTearDown]
    public void Remove() => Directory.Delete(Root, recursive: true);

    /// <summary>Runs commands in a shell as a user would, and returns what they print.</summary>
    /// <exception cref="AssertionException">A command failed; the message has what it printed.</exception>
    public static async Task<string> RunAsync(string commands, string folder)
    {
        // Into a file: a server that the build leaves behind would keep a pipe open.
        var printed = Path.Combine(Root, $"{Guid.NewGuid():N}.log");
        var code = await EndAsync(Start(commands, folder, printed));
        var text = await File.ReadAllTextAsync(printed);
        return code == 0 ? text : throw new AssertionException($"This ended with {code}:\n{commands}\n\nIt printed:\n{text}");
    }

    /// <summary>Waits until a process has ended by itself, and returns its exit code. One that hangs is killed with its children.</summary>
    public static async Task<int> EndAsync(Process process)
    {
        using var failsafe = new CancellationTokenSource(s_failsafe);
        try
        {
            await process.WaitForExitAsync(failsafe.Token);
            return process.ExitCode;
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            return -1;
        }
        finally
        {
            await ChildProcesses.EndAsync(process);
        }
    }

    /// <summary>Starts commands in a shell, with their output in a file.</summary>
    public static Process Start(string commands, string folder, string printed)
    {
        var start = new ProcessStartInfo("bash", ["-c", $"set -e\nexec > \"{printed}\" 2>&1\n{commands}"]) { WorkingDirectory = folder };
        foreach (var name in start.Environment.Keys.Where(IsOfThisRun).ToArray())
        {
            start.Environment.Remove(name);
        }

        // Nothing of the user's own account changes: packages and templates are kept in this folder.
        start.Environment["NUGET_PACKAGES"] = Path.Combine(Root, "packages");
        start.Environment["DOTNET_CLI_HOME"] = Path.Combine(Root, "home");
        start.Environment["DOTNET_NOLOGO"] = "1";
        start.Environment["REPOSITORY"] = Delivered;
        return ChildProcesses.Start(start);
    }

    // What the test host tells its own build tools would mislead those of a user.
    private static bool IsOfThisRun(string variable) =>
        variable.StartsWith("MSBUILD_", StringComparison.OrdinalIgnoreCase)
        || variable is "MSBuildSDKsPath" or "MSBuildExtensionsPath" or "MSBuildLoadMicrosoftTargetsReadOnly" or "SERVICEMESH_LONG_TESTS";

    // Our packages come from the feed and nothing else does. Others are taken from where this machine keeps them, if it has them.
    private static async Task<string> ConfigurationAsync()
    {
        var machine = Environment.GetEnvironmentVariable("NUGET_PACKAGES")
            ?? Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".nuget", "packages");
        var listed = await RunAsync("dotnet nuget list source", Root);
        var sources = EnabledSource().Matches(listed).Select(match => match.Groups[1].Value);
        return $"""
            <configuration>
              <packageSourceMapping>
                <packageSource key="servicemesh"><package pattern="ServiceMesh" /><package pattern="ServiceMesh.*" /></packageSource>
                {string.Concat(sources.Select(s => $"""<packageSource key="{s}"><package pattern="*" /></packageSource>"""))}
              </packageSourceMapping>
              <fallbackPackageFolders><add key="machine" value="{machine}" /></fallbackPackageFolders>
            </configuration>
            """;
    }

    [GeneratedRegex(@"^\s*\d+\.\s+(.+) \[Enabled\]\s*$", RegexOptions.Multiline)]
    private static partial Regex EnabledSource();

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
