using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using ServiceMesh.Support;

namespace ServiceMesh.Benchmarks;

/// <summary>
/// moleculer, a framework for Node.js, over Redis: one process has the replicas, each a separate node, and another process makes the
/// calls and measures them. The caller picks a node and publishes JSON to it; the node publishes the reply, JSON too.
/// </summary>
internal sealed class MoleculerEcho : IForeignEcho
{
    private static readonly TimeSpan s_startLimit = TimeSpan.FromSeconds(60);
    private static readonly string s_folder = FindFolder();

    private readonly Process _replicas;
    private readonly Process _caller;
    private readonly ConcurrentDictionary<int, TaskCompletionSource<Answer>> _waiting = new();
    private readonly Task _reading;
    private int _last;

    private MoleculerEcho(Process replicas, Process caller)
    {
        (_replicas, _caller) = (replicas, caller);
        _reading = ReadAsync();
    }

    /// <summary>Whether the npm package is installed; <c>npm ci</c> installs it.</summary>
    public static bool IsInstalled => Directory.Exists(Path.Combine(s_folder, "node_modules", "moleculer"));

    private TimeSpan ProcessorTime
    {
        get
        {
            _replicas.Refresh();
            _caller.Refresh();
            return _replicas.TotalProcessorTime + _caller.TotalProcessorTime;
        }
    }

    public static async Task<IEcho> StartAsync(Brokers brokers, int replicas)
    {
        var name = Brokers.NextPrefix();
        var (serving, calling) = (Start("serve", brokers, name, replicas), Start("call", brokers, name, replicas));
        try
        {
            await Task.WhenAll(ReadyAsync(serving), ReadyAsync(calling)).WaitAsync(s_startLimit);
            return new MoleculerEcho(serving, calling);
        }
        catch
        {
            await ChildProcesses.EndAsync(serving);
            await ChildProcesses.EndAsync(calling);
            throw;
        }
    }

    public async Task<Reading> EchoAsync(Reading reading, CancellationToken cancellationToken) =>
        (await AskAsync(new Question { Echo = reading }, cancellationToken)).Echo!;

    public async Task<Measurement> MeasureAsync(int callers, int characters, TimeSpan time, CancellationToken cancellationToken)
    {
        var before = ProcessorTime;
        var answer = await AskAsync(new Question { Measure = new(callers, characters, time.TotalSeconds) }, cancellationToken);
        var latencies = new Histogram();
        foreach (var latency in answer.Latencies!)
        {
            latencies.Add(TimeSpan.FromMicroseconds(latency));
        }

        return new(
            latencies.Count / answer.Seconds,
            Histogram.Percentile([latencies], 0.50),
            Histogram.Percentile([latencies], 0.99),
            BytesPerRequest: null,
            (ProcessorTime - before).TotalMicroseconds / latencies.Count);
    }

    private static Process Start(string role, Brokers brokers, string name, int replicas)
    {
        string[] arguments = ["echo.mjs", role, brokers.Redis, name, replicas.ToString(CultureInfo.InvariantCulture)];
        return ChildProcesses.Start(new ProcessStartInfo("node", arguments)
        {
            WorkingDirectory = s_folder,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
        });
    }

    private static async Task ReadyAsync(Process process)
    {
        if (await process.StandardOutput.ReadLineAsync() is null)
        {
            throw new InvalidOperationException("A process of echo.mjs has ended before it was ready; standard error has the cause.");
        }
    }

    private async Task<Answer> AskAsync(Question question, CancellationToken cancellationToken)
    {
        var id = Interlocked.Increment(ref _last);
        var waiting = new TaskCompletionSource<Answer>(TaskCreationOptions.RunContinuationsAsynchronously);
        _waiting[id] = waiting;
        var line = JsonSerializer.Serialize(question with { Id = id }, MoleculerJson.Default.Question);
        lock (_caller)
        {
            _caller.StandardInput.WriteLine(line);
            _caller.StandardInput.Flush();
        }

        var answer = await waiting.Task.WaitAsync(cancellationToken);
        return answer.Error is null ? answer : throw new InvalidOperationException(answer.Error);
    }

    private async Task ReadAsync()
    {
        while (await _caller.StandardOutput.ReadLineAsync() is { } line)
        {
            var answer = JsonSerializer.Deserialize(line, MoleculerJson.Default.Answer)!;
            if (_waiting.TryRemove(answer.Id, out var waiting))
            {
                waiting.SetResult(answer);
            }
        }

        foreach (var waiting in _waiting.Values)
        {
            waiting.TrySetException(new InvalidOperationException("The process that calls has ended."));
        }
    }

    // The folder of the script in the working copy: Node looks for packages beside it.
    private static string FindFolder()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (Path.Combine(folder.FullName, "benchmarks", "Compare", "Moleculer") is var found && Directory.Exists(found))
            {
                return found;
            }
        }

        return "benchmarks/Compare/Moleculer";
    }

    public async ValueTask DisposeAsync()
    {
        await ChildProcesses.EndAsync(_caller);
        await ChildProcesses.EndAsync(_replicas);
        await _reading;
    }

    internal sealed record Question
    {
        public int Id { get; init; }

        public Reading? Echo { get; init; }

        public Load? Measure { get; init; }
    }

    internal sealed record Load(int Callers, int Characters, double Seconds);

    internal sealed record Answer
    {
        public int Id { get; init; }

        public Reading? Echo { get; init; }

        public string? Error { get; init; }

        public double Seconds { get; init; }

        public double[]? Latencies { get; init; }
    }
}

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(MoleculerEcho.Question))]
[JsonSerializable(typeof(MoleculerEcho.Answer))]
internal sealed partial class MoleculerJson : JsonSerializerContext;
