using BenchmarkDotNet.Columns;
using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Diagnosers;
using BenchmarkDotNet.Exporters;
using BenchmarkDotNet.Jobs;
using BenchmarkDotNet.Loggers;
using BenchmarkDotNet.Running;
using BenchmarkDotNet.Toolchains.InProcess.Emit;
using Perfolizer.Horology;

namespace ServiceMesh.Benchmarks;

/// <summary>
/// Measures time and allocations of single parts with BenchmarkDotNet. Every class of this program with a
/// <c>[Benchmark]</c> method takes part.
/// </summary>
internal static class MicroConfig
{
    /// <summary>Runs the benchmarks that the arguments of BenchmarkDotNet select; all of them without arguments.</summary>
    public static int Run(string[] arguments, double milliseconds)
    {
        var summaries = BenchmarkSwitcher.FromAssembly(typeof(MicroConfig).Assembly)
            .Run(arguments.Length == 0 ? ["--filter", "*"] : arguments, Make(milliseconds));
        return summaries.All(s => s.Reports.All(r => r.Success)) ? 0 : 1;
    }

    // In this process, because building and starting a program for each part would take longer than the measurement.
    private static ManualConfig Make(double milliseconds) => ManualConfig.CreateEmpty()
        .AddJob(Job.Default
            .WithToolchain(InProcessEmitToolchain.Instance)
            .WithWarmupCount(6)
            .WithIterationCount(15)
            .WithIterationTime(TimeInterval.FromMilliseconds(milliseconds)))
        .AddDiagnoser(new MemoryDiagnoser(new(displayGenColumns: false)))
        .AddColumnProvider(DefaultColumnProviders.Descriptor, DefaultColumnProviders.Params, DefaultColumnProviders.Metrics)
        .AddColumn(StatisticColumn.Median, StatisticColumn.P95, BaselineRatioColumn.RatioMean)
        .AddExporter(MarkdownExporter.GitHub)
        .AddLogger(ConsoleLogger.Default)
        .WithArtifactsPath(Path.Combine("artifacts", "benchmarks"))
        .WithOptions(ConfigOptions.JoinSummary | ConfigOptions.DisableLogFile);
}
