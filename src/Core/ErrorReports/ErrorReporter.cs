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

    private readonly Channel<ErrorReport> _buffer = Channel.CreateBounded<ErrorReport>(
        new BoundedChannelOptions(BufferedReports) { FullMode = BoundedChannelFullMode.Wait });

    private Task _loop = Task.CompletedTask;

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
                Lost(report.Topic, report.Sender, report.Status, $"it could not be filed within {limit} while the node stopped");
            }
        }
    }

    /// <summary>Reports a message that failed. Does not wait.</summary>
    public void Report(Message message, StatusCode status, string error, string? group, Exception? exception)
    {
        if (policy == ErrorPolicy.Ignore)
        {
            telemetry.Report("ignored");
            return;
        }

        // A report about the reports would feed on itself.
        if (policy == ErrorPolicy.Publish && message.Topic == ReservedTopics.Errors)
        {
            Lost(message.Topic.ToString(), message.Sender, (int)status, "it is about the topic of error reports itself");
            return;
        }

        var (data, encoding) = ErrorReport.Excerpt(message.Body.Span, maxDataBytes);
        Add(new()
        {
            Topic = message.Topic.ToString(),
            Kind = message.Kind,
            Status = (int)status,
            Error = ExceptionText.Cut(error, ReplyMessage.MaxErrorCharacters),
            MessageId = message.Id.ToString(),
            Sender = message.Sender,
            Node = node.Id,
            Group = group,
            Time = clock.GetUtcNow(),
            Data = data,
            DataEncoding = encoding,
            DataBytes = message.Body.Length,
            Exception = ExceptionText.Full(exception),
        });
    }

    /// <summary>Reports a local step of a composition, which never was a message.</summary>
    public void Report(ReplyFailure failure) =>
        Report(failure.Step, failure.Status, failure.Message, ExceptionText.Full(failure.Exception));

    /// <summary>Reports something that never became a message here: a local step, a frame that could not be read.</summary>
    public void Report(string topic, StatusCode status, string error, string? exception)
    {
        if (policy == ErrorPolicy.Ignore)
        {
            telemetry.Report("ignored");
            return;
        }

        Add(new()
        {
            Topic = topic,
            Status = (int)status,
            Error = ExceptionText.Cut(error, ReplyMessage.MaxErrorCharacters),
            MessageId = node.NextMessageId().ToString(),
            Sender = node.Id,
            Node = node.Id,
            Time = clock.GetUtcNow(),
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

        Log.Dropped(logger, Printable.Line(topic), Printable.Line(sender), reason, Printable.Detail(detail));
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
        if (!_buffer.Writer.TryWrite(report))
        {
            Lost(
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
            }
            catch (Exception failure)
            {
                telemetry.Report("lost");
                Log.ReportFailed(logger, Printable.Line(report.Topic), Printable.Line(report.Sender), report.Status, failure);
            }
        }
    }

    private void Lost(string topic, string sender, int status, string reason)
    {
        telemetry.Report("lost");
        Log.ReportLost(logger, Printable.Line(topic), Printable.Line(sender), status, reason);
    }
}
