using System.Diagnostics;
using System.Text.RegularExpressions;
using NUnit.Framework;
using ServiceMesh.Support;

namespace ServiceMesh.Packages.Tests;

/// <summary>
/// The commands of docs/getting-started.md in an empty folder, in their order: with the packages, and without this repository. A program
/// that the page starts in a terminal runs in the background, until the page starts it again.
/// </summary>
public sealed partial class GettingStartedTests
{
    private static readonly TimeSpan s_failsafe = TimeSpan.FromMinutes(2);

    private readonly Dictionary<string, Process> _programs = [];
    private readonly Dictionary<string, string> _ports = new() { ["5080"] = "", ["5081"] = "", ["6379"] = "" };
    private string _folder = "";

    [Test]
    public async Task The_commands_do_what_the_page_says()
    {
        await using var redis = await RedisServer.StartAsync();
        (_ports["5080"], _ports["5081"]) = ($"{FreePort.Next()}", $"{FreePort.Next()}");
        _ports["6379"] = redis.Address.Split(':')[^1];
        _folder = Directory.CreateDirectory(Path.Combine(Workshop.Root, "started")).FullName;
        var blocks = Blocks().ToArray();
        var compared = 0;
        try
        {
            for (var i = 0; i < blocks.Length; i++)
            {
                var (language, text) = blocks[i];
                if (language != "bash")
                {
                    continue;
                }

                if (Program().Match(text) is { Success: true } program)
                {
                    await StartAsync(program.Groups[1].Value, text);
                    continue;
                }

                var printed = await Workshop.RunAsync(WithPorts(text), _folder);
                UsePorts();
                if (i + 1 < blocks.Length && blocks[i + 1].Language == "text")
                {
                    Assert.That(printed.Trim(), Is.EqualTo(blocks[i + 1].Text), text);
                    compared++;
                }
            }
        }
        finally
        {
            foreach (var program in _programs.Keys.ToArray())
            {
                await StopAsync(program);
            }
        }

        Assert.That(compared, Is.EqualTo(2), "over HTTP and over Redis");
    }

    private static IEnumerable<(string Language, string Text)> Blocks() =>
        Block().Matches(File.ReadAllText(Path.Combine(Workshop.Repository, "docs", "getting-started.md")))
            .Select(match => (match.Groups[1].Value, match.Groups[2].Value.TrimEnd('\n')));

    private async Task StartAsync(string program, string command)
    {
        if (_programs.ContainsKey(program))
        {
            await StopAsync(program);
        }

        var printed = Path.Combine(Workshop.Root, $"{program}-{Guid.NewGuid():N}.log");
        var process = _programs[program] = Workshop.Start($"exec {WithPorts(command)}", _folder, printed);
        using var failsafe = new CancellationTokenSource(s_failsafe);
        while (!File.Exists(printed) || !(await File.ReadAllTextAsync(printed)).Contains("Application started", StringComparison.Ordinal))
        {
            if (process.HasExited || failsafe.IsCancellationRequested)
            {
                Assert.Fail($"{command} has not started. It printed:\n{await File.ReadAllTextAsync(printed)}");
            }

            await Task.Delay(100);
        }
    }

    // As Ctrl-C does: dotnet run passes it on.
    private async Task StopAsync(string program)
    {
        var process = _programs[program];
        _programs.Remove(program);
        await Workshop.RunAsync($"kill -TERM {process.Id}", Workshop.Root);
        Assert.That(await Workshop.EndAsync(process), Is.Not.EqualTo(-1), $"{program} has not stopped.");
    }

    private string WithPorts(string text) =>
        _ports.Aggregate(text, (all, port) => all.Replace(port.Key, port.Value, StringComparison.Ordinal));

    private void UsePorts()
    {
        foreach (var file in Directory.EnumerateFiles(_folder, "appsettings.json", SearchOption.AllDirectories))
        {
            File.WriteAllText(file, WithPorts(File.ReadAllText(file)));
        }
    }

    [GeneratedRegex(@"^```(\w+)\n(.*?)^```$", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex Block();

    [GeneratedRegex(@"^dotnet run (?:--no-build )?--project (\w+)")]
    private static partial Regex Program();
}
