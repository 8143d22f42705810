using System.Diagnostics;
using System.Globalization;
using ServiceMesh.Http;
using ServiceMesh.Support;

namespace ServiceMesh.Faults.Tests;

/// <summary>A caller that asks servers through the layers: over the bus, or with an ordinary HttpClient.</summary>
public abstract class Caller : IAsyncDisposable
{
    /// <summary>How long the budget of retries counts, which is not configurable.</summary>
    public const string BudgetWindow = "RetryBudget:Window";

    /// <summary>The longest ejection, which is not configurable.</summary>
    public const string MaxEjectionTime = "Ejection:MaxEjectionTime";

    private static readonly string[] s_codeOnly = [BudgetWindow, MaxEjectionTime];

    /// <summary>Makes and starts one of the callers.</summary>
    /// <param name="kind">Which.</param>
    /// <param name="servers">The servers of the one service.</param>
    /// <param name="settings">Keys below <c>ServiceMesh:Http</c>, and those that only tests can set.</param>
    public static async Task<Caller> StartAsync(CallerKind kind, IEnumerable<FaultServer> servers, params (string Key, string Value)[] settings)
    {
        (string, string)[] all =
        [
            ("Services:weather:Address", $"static:{string.Join(',', servers.Select(s => s.Address))}"),
            ("Services:weather:Topics:weather.ask", "/ask"),
            .. settings,
        ];
        var last = all.GroupBy(s => s.Item1).Select(s => s.Last()).ToLookup(s => s_codeOnly.Contains(s.Item1)); // a test may override a setting
        void Configure(HttpTransportOptions options)
        {
            foreach (var (key, value) in last[true])
            {
                Set(options, key, TimeSpan.Parse(value, CultureInfo.InvariantCulture));
            }
        }

        return kind == CallerKind.Bus ? await BusCaller.StartAsync(last[false], Configure) : new HttpClientCaller(last[false], Configure);
    }

    /// <summary>Its container, whose meters <see cref="RecordedMetrics"/> can listen to.</summary>
    public abstract IServiceProvider Services { get; }

    /// <summary>Asks once and says what it saw.</summary>
    /// <param name="isIdempotent">Whether the request may run twice.</param>
    /// <param name="cancellationToken">Ends it.</param>
    public async Task<Seen> AskAsync(bool isIdempotent, CancellationToken cancellationToken)
    {
        var (lost, began) = (LostTime.Total, Stopwatch.GetTimestamp());
        var what = await SeeAsync(isIdempotent, cancellationToken);
        return what with { Took = Stopwatch.GetElapsedTime(began), Lost = LostTime.Total - lost };
    }

    /// <summary>Asks from many callers at once, each one request after the other, and says what they saw.</summary>
    public async Task<IReadOnlyList<Seen>> AskFromManyAsync(int callers, int requestsEach, bool isIdempotent, CancellationToken cancellationToken)
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
/// <param name="Said">The sentence or exception; empty for a success.</param>
/// <param name="Server">Who answered.</param>
/// <param name="Exception">What an HttpClient threw.</param>
public sealed record Seen(int? Status, string Said, string? Server = null, Exception? Exception = null)
{
    public TimeSpan Took { get; init; }

    /// <summary>What the machine took of that.</summary>
    public TimeSpan Lost { get; init; }

    /// <summary>Whether the bus says that it was certainly not processed.</summary>
    public bool IsNotProcessed { get; init; }

    public bool IsSuccess => Status == 200 && Server is not null;
}
