using System.Diagnostics;
using System.Threading.Channels;
using Microsoft.Extensions.Logging;

namespace ServiceMesh;

/// <summary>
/// Files error reports under the configured policy, in the background: a bounded buffer and one loop, which the node starts
/// and awaits. Also counts, logs and reports messages that are lost. Thread-safe.
/// </summary>
internal sealed class ErrorReporter(
    NodeIdentity node, ErrorPolicy policy, int maxDataBytes, Telemetry telemetry, ILogger logger, TimeProvider clock)
{
    private const int BufferedReports = 4096;

    // Of the bodies in them, in characters; beyond that a report keeps the beginning of its body only.
    private const long BufferedData = 32 * 1024 * 1024;
    private const int LeastDataBytes = 4096;

    private readonly UnfiledReports _unfiled = new(telemetry, logger, clock);

    private readonly Channel<ErrorReport> _buffer = Channel.CreateBounded<ErrorReport>(
        new BoundedChannelOptions(BufferedReports) { FullMode = BoundedChannelFullMode.Wait });

    private Task _loop = Task.CompletedTask;
    private long _lastReport;
    private long _bufferedData;

    /// <summary>
    /// Begins to file; <paramref name="file"/> returns what happened to each report, as the metric names it. Earlier reports wait
    /// in the buffer.
    /// </summary>
    public void Start(Func<ErrorReport, Task<string>> file) => _loop = FileAllAsync(file);

    /// <summary>Files what is buffered and ends; what cannot be filed within the limit is lost, with a log line.</summary>
    public async Task StopAsync(TimeSpan limit)
    {
        _buffer.Writer.TryComplete();
        try
        {
            await _loop.WaitAsync(limit, clock).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            while (_buffer.Reader.TryRead(out var report))
            {
                _unfiled.Add(report.Topic, report.Sender, report.Status, $"it could not be filed within {limit} while the node stopped");
            }
        }

        _unfiled.Tell();
    }

    /// <summary>Reports a message that failed. Does not wait.</summary>
    /// <param name="message">The message.</param>
    /// <param name="status">How it ended.</param>
    /// <param name="error">What happened, in full.</param>
    /// <param name="group">The group that handled it; null for none.</param>
    /// <param name="exception">What was thrown here; null for nothing.</param>
    /// <param name="span">The span on this node; null for none.</param>
    public void Report(
        Message message, StatusCode status, string error, string? group, Exception? exception, Activity? span = null)
    {
        if (policy == ErrorPolicy.Ignore)
        {
            telemetry.Report("ignored");
            return;
        }

        // A report about the reports would feed on itself.
        if (policy == ErrorPolicy.Publish && ReportScope.Includes(message))
        {
            LeaveOut(message.Topic.ToString(), message.Sender, status);
            return;
        }

        var most = Interlocked.Read(ref _bufferedData) < BufferedData ? maxDataBytes : Math.Min(maxDataBytes, LeastDataBytes);
        var (data, encoding) = ErrorReport.Excerpt(message.Body.Span, most);
        var trace = TraceReference.Of(span, message.Headers);
        Add(new()
        {
            Id = NextId(),
            Topic = message.Topic.ToString(),
            Kind = message.Kind,
            Status = (int)status,
            Error = ExceptionText.Cut(error, ReplyMessage.MaxErrorCharacters),
            MessageId = message.Id.ToString(),
            Sender = message.Sender,
            Node = node.Id,
            Group = group,
            Time = clock.GetUtcNow(),
            TraceId = trace.TraceId,
            SpanId = trace.SpanId,
            Headers = message.Headers,
            ContentType = message.ContentType,
            Data = data,
            DataEncoding = encoding,
            DataBytes = message.Body.Length,
            Exception = ExceptionText.Full(exception),
        });
    }

    /// <summary>Reports a local step of a composition, which never was a message.</summary>
    public void Report(ReplyFailure failure)
    {
        if (policy == ErrorPolicy.Publish && ReportScope.IsActive)
        {
            LeaveOut(failure.Step, node.Id, failure.Status);
            return;
        }

        Report(failure.Step, failure.Status, failure.Message, ExceptionText.Full(failure.Exception));
    }

    /// <summary>Reports something that never became a message here: a local step, a frame that could not be read.</summary>
    public void Report(string topic, StatusCode status, string error, string? exception)
    {
        if (policy == ErrorPolicy.Ignore)
        {
            telemetry.Report("ignored");
            return;
        }

        if (policy == ErrorPolicy.Publish && (ReportScope.IsActive || topic == ReservedTopics.Errors.ToString()))
        {
            LeaveOut(topic, node.Id, status);
            return;
        }

        var trace = TraceReference.Of(Activity.Current, Headers.Empty);
        Add(new()
        {
            Id = NextId(),
            Topic = topic,
            Status = (int)status,
            Error = ExceptionText.Cut(error, ReplyMessage.MaxErrorCharacters),
            MessageId = node.NextMessageId().ToString(),
            Sender = node.Id,
            Node = node.Id,
            Time = clock.GetUtcNow(),
            TraceId = trace.TraceId,
            SpanId = trace.SpanId,
            Exception = exception,
        });
    }

    /// <summary>A message is lost: counted, logged and reported.</summary>
    public void ReportLoss(string reason, Message message, StatusCode status, string error, string? group, Exception? exception = null)
    {
        if (ReservedTopics.IsLog(message.Topic.ToString()))
        {
            telemetry.Dropped(reason, message.Topic.ToString()); // a line about it would be an entry again
            return;
        }

        CountLoss(reason, message.Topic.ToString(), error, message.Sender);
        Report(message, status, error, group, exception);
    }

    /// <summary>Something that never became a message here is lost: counted, logged and reported.</summary>
    public void ReportLoss(string reason, string topic, string detail, StatusCode status, string sender)
    {
        if (ReservedTopics.IsLog(topic))
        {
            telemetry.Dropped(reason, topic); // a line about it would be an entry again
            return;
        }

        CountLoss(reason, topic, detail, sender);
        Report(topic, status, detail, null);
    }

    /// <summary>One of many losses that are told together: counted.</summary>
    public void CountLoss(string reason, string topic) => telemetry.Dropped(reason, topic);

    /// <summary>Losses that have been counted already: logged and reported.</summary>
    public void TellLoss(string reason, string topic, string detail, StatusCode status, string sender)
    {
        if (ReservedTopics.IsLog(topic))
        {
            return;
        }

        Log.DroppedAndCounted(logger, Printable.Line(topic), Printable.Line(sender), reason, Printable.Detail(detail));
        Report(topic, status, detail, null);
    }

    /// <summary>A message is lost, and its failure is reported elsewhere: counted and logged.</summary>
    public void CountLoss(string reason, string topic, string detail, string sender)
    {
        telemetry.Dropped(reason, topic);
        Log.Dropped(logger, Printable.Line(topic), Printable.Line(sender), reason, Printable.Detail(detail));
    }

    private void Add(ErrorReport report)
    {
        Interlocked.Add(ref _bufferedData, report.Data.Length);
        if (!_buffer.Writer.TryWrite(report))
        {
            Interlocked.Add(ref _bufferedData, -report.Data.Length);
            _unfiled.Add(
                report.Topic, report.Sender, report.Status,
                $"more than {BufferedReports} reports wait to be filed, or the node has stopped");
        }
    }

    private async Task FileAllAsync(Func<ErrorReport, Task<string>> file)
    {
        await foreach (var report in _buffer.Reader.ReadAllAsync().ConfigureAwait(false))
        {
            try
            {
                telemetry.Report(await file(report).ConfigureAwait(false));
                _unfiled.Tell();
            }
            catch (Exception failure)
            {
                _unfiled.Add(report.Topic, report.Sender, report.Status, "filing it failed", failure);
            }
            finally
            {
                Interlocked.Add(ref _bufferedData, -report.Data.Length);
            }
        }
    }

    private void LeaveOut(string topic, string sender, StatusCode status)
    {
        telemetry.Report("ignored");
        Log.ReportLeftOut(logger, Printable.Line(topic), Printable.Line(sender), (int)status);
    }

    private string NextId() => $"{node.Id}.report-{Interlocked.Increment(ref _lastReport)}";
}
