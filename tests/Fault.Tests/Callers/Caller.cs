using System.Diagnostics;
using System.Globalization;
using ServiceMesh.Http;
using ServiceMesh.Support;

namespace ServiceMesh.Faults.Tests;

/// <summary>A caller that sends requests through the layers of resilience: over the bus, or with an ordinary HttpClient.</summary>
public abstract class Caller : IAsyncDisposable
{
    /// <summary>The window of the retry budget, which is not configurable.</summary>
    public const string BudgetWindow = "RetryBudget:Window";

    /// <summary>The longest ejection, which is not configurable.</summary>
    public const string MaxEjectionTime = "Ejection:MaxEjectionTime";

    private static readonly string[] s_codeOnly = [BudgetWindow, MaxEjectionTime];

    /// <summary>Creates and starts a caller.</summary>
    /// <param name="kind">The kind of caller.</param>
    /// <param name="servers">The servers of the service <c>weather</c>.</param>
    /// <param name="settings">Keys below <c>ServiceMesh:Http</c>, and the two that only tests can set.</param>
    public static async Task<Caller> StartAsync(
        CallerKind kind, IEnumerable<FaultServer> servers, params (string Key, string Value)[] settings)
    {
        (string, string)[] all =
        [
            ("Services:weather:Address", $"static:{string.Join(',', servers.Select(s => s.Address))}"),
            ("Services:weather:Topics:weather.ask", "/ask"),
            .. settings,
        ];
        // A test may override a setting.
        var last = all.GroupBy(s => s.Item1).Select(s => s.Last()).ToLookup(s => s_codeOnly.Contains(s.Item1));
        void Configure(HttpTransportOptions options)
        {
            foreach (var (key, value) in last[true])
            {
                Set(options, key, TimeSpan.Parse(value, CultureInfo.InvariantCulture));
            }
        }

        return kind == CallerKind.Bus ? await BusCaller.StartAsync(last[false], Configure) : new HttpClientCaller(last[false], Configure);
    }

    /// <summary>The container of the caller, whose meters <see cref="RecordedMetrics"/> can listen to.</summary>
    public abstract IServiceProvider Services { get; }

    /// <summary>Sends one request and returns what the caller saw.</summary>
    /// <param name="isIdempotent">Whether the request may run twice.</param>
    /// <param name="cancellationToken">Cancels the request.</param>
    public async Task<Seen> AskAsync(bool isIdempotent, CancellationToken cancellationToken)
    {
        var (lost, began) = (LostTime.Total, Stopwatch.GetTimestamp());
        var what = await SeeAsync(isIdempotent, cancellationToken);
        return what with { Took = Stopwatch.GetElapsedTime(began), Lost = LostTime.Total - lost };
    }

    /// <summary>Sends requests from many callers at once, each one request after the other, and returns what they saw.</summary>
    public async Task<IReadOnlyList<Seen>> AskFromManyAsync(
        int callers, int requestsEach, bool isIdempotent, CancellationToken cancellationToken)
    {
        var seen = await Task.WhenAll(Enumerable.Range(0, callers).Select(_ => Task.Run(
            async () =>
            {
                var own = new List<Seen>();
                for (var i = 0; i < requestsEach; i++)
                {
                    own.Add(await AskAsync(isIdempotent, cancellationToken));
                }

                return own;
            },
            cancellationToken)));
        return [.. seen.SelectMany(s => s)];
    }

    public abstract ValueTask DisposeAsync();

    private static void Set(HttpTransportOptions options, string key, TimeSpan value)
    {
        if (key == BudgetWindow)
        {
            options.RetryBudget.Window = value;
        }
        else
        {
            options.Ejection.MaxEjectionTime = value;
        }
    }

    protected abstract Task<Seen> SeeAsync(bool isIdempotent, CancellationToken cancellationToken);
}

/// <summary>The two kinds of callers.</summary>
public enum CallerKind
{
    Bus,
    HttpClient,
}

/// <summary>What a caller saw of one request.</summary>
/// <param name="Status">The status of the answer; for the bus, that of the reply. Null when an HttpClient threw.</param>
/// <param name="Message">The message of the failure or of the exception; empty for a success.</param>
/// <param name="Server">The server that answered.</param>
/// <param name="Exception">What an HttpClient threw.</param>
public sealed record Seen(int? Status, string Message, string? Server = null, Exception? Exception = null)
{
    public TimeSpan Took { get; init; }

    /// <summary>The part of <see cref="Took"/> that the loaded machine added, by <see cref="LostTime"/>.</summary>
    public TimeSpan Lost { get; init; }

    /// <summary>Whether the bus reports that the request was certainly not processed.</summary>
    public bool IsNotProcessed { get; init; }

    public bool IsSuccess => Status == 200 && Server is not null;
}
