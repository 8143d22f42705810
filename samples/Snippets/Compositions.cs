using ServiceMesh;

namespace Snippets;

public static class Compositions
{
    #region pipe
    private static readonly Composition<string, Reading> s_coldest = Weather.Fetch | Weather.Min;

    public static Task<Reading> ColdestAsync(IServiceBus bus, string city, CancellationToken cancellationToken) =>
        bus.ExecuteAsync(s_coldest, city, cancellationToken);
    #endregion

    #region forms
    // a | b         the output of one is the input of the next
    public static readonly Composition<string, Reading> Coldest = Weather.Fetch | Weather.Min;

    // a && b        the same input to each; stops at the first failure
    public static readonly Composition<string, Reading[]> WithinQuota = Archive.CheckQuota.AndAnd(Archive.Fetch);

    // a || b        the same input to each; stops at the first success
    public static readonly Composition<string, Reading[]> FreshOrArchived = Weather.Fetch.OrOr(Archive.Fetch);

    // a; b          the same input to each; failures do not stop it
    public static readonly Composition<string, Reading[]> Latest = Compose.Batch(Archive.Fetch, Weather.Fetch);

    // parallel      the same input to all at once; values in the order written
    public static readonly Composition<string, Reading[]> Extremes = Weather.Fetch | Compose.Parallel(Weather.Min, Weather.Max);

    // lambda        a local function as a step
    public static readonly Composition<string, double> Spread = Extremes.Pipe(minMax => minMax[1].Degrees - minMax[0].Degrees);

    // merge         fixed values in the input of a step
    public static readonly Composition<ArchiveQuery, Reading[]> InKelvin = Archive.Search.Merge(query => query with { Unit = "K" });
    #endregion

    #region settle
    // All at once, and every reply.
    public static readonly Composition<string, Reply<Reading[]>[]> Settled = Compose.Settle(Weather.Fetch, Archive.Fetch);
    #endregion

    #region race
    // All at once, and the first success.
    public static readonly Composition<string, Reading[]> Raced = Compose.Race(Weather.Fetch, Archive.Fetch);
    #endregion

    #region each
    public static readonly Composition<string[], Reading[][]> Cities = Weather.Fetch.Each(maxConcurrency: 4);
    #endregion

    #region both
    public static readonly Composition<Reading[], (Reading First, Reading Second)> MinMax = Compose.Both(Weather.Min, Weather.Max);
    #endregion

    #region keep
    public static readonly Composition<string, (string Input, Reading[] Output)> WithCity = Weather.Fetch.Keep();
    #endregion

    #region choose
    public static readonly Composition<string, Reading[]> ByCity =
        Compose.Choose((string city) => city == "pune" ? Weather.Fetch : Archive.Fetch);
    #endregion

    #region recover
    public static readonly Composition<string, Reading[]> Recovered =
        Weather.Fetch.Recover(failure => failure.Status == StatusCode.NotFound ? Archive.Fetch : null);
    #endregion

    #region fail
    public static readonly Composition<string, Reading[]> Closed = Compose.Fail(StatusCode.Forbidden, "The archive is closed.");
    #endregion

    #region retry
    public static readonly Composition<string, Reading[]> Retried = Weather.Fetch.Retry(attempts: 3, pause: TimeSpan.FromMilliseconds(100));
    #endregion

    #region within
    public static readonly Composition<string, Reading[]> Quick = Weather.Fetch.Within(TimeSpan.FromSeconds(2));
    public static readonly Composition<string, Reading[]> OfTenant =
        Weather.Fetch.With(new RequestOptions { Headers = Headers.Of(("tenant", "north")) });
    #endregion

    #region tee
    public static readonly Composition<string, Reading[]> Logged =
        Weather.Fetch.Tee(Weather.Log, readings => $"{readings.Length} readings");
    #endregion

    #region step
    public static readonly Composition<string, Reading> ColdestEver = Compose.Step(
        async (string city, StepContext step) =>
        {
            Reading[] all = [.. await step.ExecuteAsync(Weather.Fetch, city), .. await step.ExecuteAsync(Archive.Fetch, city)];
            return await step.ExecuteAsync(Weather.Min, all);
        });
    #endregion

    #region and-and
    // Unit is the answer of a step without a result. The answer of the composition is that of Archive.Fetch.
    private static readonly Composition<string, Reading[]> s_withinQuota = Archive.CheckQuota.AndAnd(Archive.Fetch);
    #endregion

    #region or-or
    private static readonly Composition<string, Reading[]> s_freshOrArchived = Weather.Fetch.OrOr(Archive.Fetch);
    #endregion

    #region batch
    private static readonly Composition<string, Reading[]> s_lastOne = Compose.Batch(Archive.Fetch, Weather.Fetch);

    private static readonly Composition<string, Reply<Reading[]>[]> s_allOfThem = Compose.Record(Archive.Fetch, Weather.Fetch);
    #endregion

    #region parallel
    private static readonly Composition<Reading[], Reading[]> s_minAndMax = Compose.Parallel(Weather.Min, Weather.Max);

    private static readonly Composition<string, Reading[][]> s_twoAtATime =
        Compose.Parallel(maxConcurrency: 2, Weather.Fetch, Archive.Fetch, s_freshOrArchived);
    #endregion

    #region lambda
    private static readonly Composition<string, string> s_report =
        Weather.Fetch
        | Compose.Lambda((Reading[] readings) => readings.Where(reading => reading.Month == "jan").ToArray(), "january")
        | Weather.Min
        | Compose.Lambda((Reading reading) => $"{reading.Degrees} degrees", "report");
    #endregion

    #region merge
    private static readonly Composition<ArchiveQuery, Reading[]> s_inKelvin =
        Archive.Search.Merge(query => query with { Unit = "K", Limit = Math.Min(query.Limit, 100) });
    #endregion

    #region nest
    private static readonly Composition<string, Reading[][]> s_winter =
        Weather.Fetch | Compose.Parallel(
            InMonth("jan") | Compose.Parallel(Weather.Min, Weather.Max),
            InMonth("feb") | Compose.Parallel(Weather.Min, Weather.Max));

    private static Composition<Reading[], Reading[]> InMonth(string month) =>
        Compose.Lambda((Reading[] readings) => readings.Where(reading => reading.Month == month).ToArray(), month);
    #endregion

    #region resume
    public static async Task<Reading> ColdestPatientlyAsync(IServiceBus bus, string city, CancellationToken cancellationToken)
    {
        Reply<Reading> reply = await bus.TryExecuteAsync(s_coldest, city, cancellationToken);
        for (var attempt = 1; attempt < 3 && reply.Resumption?.FailedOnly is { IsRepeatable: true } rest; attempt++)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(100 << attempt), cancellationToken);
            reply = await bus.TryResumeAsync(rest, cancellationToken);
        }

        return reply.GetValueOrThrow();
    }
    #endregion

    #region parts
    public static async Task<IReadOnlyList<Reading>> WhatSucceededAsync(
        IServiceBus bus, Reading[] readings, CancellationToken cancellationToken)
    {
        Reply<Reading[]> reply = await bus.TryExecuteAsync(s_minAndMax, readings, cancellationToken);
        return reply.IsSuccess
            ? reply.GetValueOrThrow()
            : [.. reply.Failure.Parts.OfType<Reply<Reading>>().Where(part => part.IsSuccess).Select(part => part.GetValueOrThrow())];
    }
    #endregion

    /// <summary>The forms by the names that the documents use.</summary>
    public static Composition<string, Reading[]> AndAnd => s_withinQuota;

    public static Composition<string, Reading[]> OrOr => s_freshOrArchived;

    public static Composition<string, Reading[]> Batch => s_lastOne;

    public static Composition<string, Reply<Reading[]>[]> Record => s_allOfThem;

    public static Composition<Reading[], Reading[]> Parallel => s_minAndMax;

    public static Composition<string, Reading[][]> Bounded => s_twoAtATime;

    public static Composition<string, string> Lambda => s_report;

    public static Composition<ArchiveQuery, Reading[]> Merge => s_inKelvin;

    public static Composition<string, Reading[][]> Nested => s_winter;
}
