using System.Collections.Concurrent;
using System.Diagnostics;
using System.Diagnostics.Metrics;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using NUnit.Framework;
using ServiceMesh.Conformance;
using ServiceMesh.Support;
using static ServiceMesh.Http.Tests.HttpNodes;

namespace ServiceMesh.Http.Tests;

/// <summary>What the polls between nodes leave in logs, spans and metrics, and the spans of a request.</summary>
public sealed class QuietWatchTests
{
    [Test]
    public async Task The_polls_of_nodes_leave_no_log_line_no_span_and_no_duration()
    {
        var port = FreePort.Next();
        var routes = new ConcurrentQueue<string>();
        using var meters = Durations(routes);
        using var spans = new Spans();
        await using (var server = await StartAsync(mesh => mesh.AddHandler(Ask, (input, _) => input), Listen(port)))
        {
            await using var caller = await StartAsync(null, Service("server", port), ("Http:Health:Interval", "00:00:00.1"));
            await Failsafe.UntilAsync(() => OfServer(spans).Count(s => !s.Recorded) >= 3);
            await caller.Bus.RequestAsync(Ask, "x").InTime();

            Assert.That(server.Log.Has(LogLevel.Information, "/mesh/v1/node"), Is.False);
            Assert.That(server.Log.Has(LogLevel.Information, "/mesh/v1/request/test.ask"), Is.True);
        }

        Assert.That(OfServer(spans).Count(s => s.Recorded), Is.EqualTo(1), "the span of the one request");
        Assert.That(routes, Has.Exactly(1).Items, "the duration of the one request");
    }

    [Test]
    public async Task The_span_of_the_web_server_is_between_the_spans_of_caller_and_handler()
    {
        var port = FreePort.Next();
        using var spans = new Spans();
        await using var server = await StartAsync(mesh => mesh.AddHandler(Ask, (input, _) => input), Listen(port));
        await using var caller = await StartAsync(null, Service("server", port));
        using var root = new Activity("test").SetIdFormat(ActivityIdFormat.W3C);
        root.ActivityTraceFlags = ActivityTraceFlags.Recorded;
        root.Start();

        await caller.Bus.RequestAsync(Ask, "x").InTime();
        root.Stop();
        Activity[] Mine() => [.. spans.Ended.Where(s => s.TraceId == root.TraceId)];
        await Failsafe.UntilAsync(() => Mine().Any(s => s.Source.Name == "Microsoft.AspNetCore"));

        var ofServer = Mine().Single(s => s.Source.Name == "Microsoft.AspNetCore");
        var attempt = Mine().Single(s => s.Kind == ActivityKind.Client && s.DisplayName == "POST");
        var process = Mine().Single(s => s.DisplayName == "process test.ask");
        Assert.That((ofServer.ParentSpanId, process.ParentSpanId), Is.EqualTo((attempt.SpanId, ofServer.SpanId)));
    }

    [Test]
    public async Task A_session_leaves_no_span_and_no_duration()
    {
        var port = FreePort.Next();
        var routes = new ConcurrentQueue<string>();
        using var meters = Durations(routes);
        using var spans = new Spans();
        await using (var server = await SessionNodes.ServerAsync(port, mesh => mesh.AddHandler(Ask, (input, _) => input)))
        {
            await using var caller = await SessionNodes.CallerAsync([port]);
            await caller.OpenAsync(server);
        }

        Assert.That(routes, Has.Some.Contains("request").And.None.Contains("session"));
        Assert.That(OfServer(spans).Where(s => s.Recorded).Select(s => s.DisplayName), Has.None.Contains("session"));
    }

    // The durations of requests that servers publish, by route.
    private static MeterListener Durations(ConcurrentQueue<string> routes)
    {
        var meters = new MeterListener
        {
            InstrumentPublished = (instrument, listener) =>
            {
                if (instrument.Name == "http.server.request.duration")
                {
                    listener.EnableMeasurementEvents(instrument);
                }
            },
        };
        meters.SetMeasurementEventCallback<double>((_, _, tags, _) => routes.Enqueue(
            tags.ToArray().FirstOrDefault(t => t.Key == "http.route").Value?.ToString() ?? "none"));
        meters.Start();
        return meters;
    }

    private static IEnumerable<Activity> OfServer(Spans spans) => spans.Ended.Where(s => s.Source.Name == "Microsoft.AspNetCore");

    private sealed class Spans : IDisposable
    {
        private readonly ActivityListener _listener;

        public Spans()
        {
            _listener = new()
            {
                ShouldListenTo = source => source.Name is "Microsoft.AspNetCore" or "ServiceMesh" or "ServiceMesh.Http",
                Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllDataAndRecorded,
                ActivityStopped = Ended.Enqueue,
            };
            ActivitySource.AddActivityListener(_listener);
        }

        public ConcurrentQueue<Activity> Ended { get; } = new();

        public void Dispose() => _listener.Dispose();
    }
}
