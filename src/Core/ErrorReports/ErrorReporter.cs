using System.Threading.Channels;

namespace ServiceMesh;

/// <summary>
/// Files error reports under the configured policy, behind the back of whoever failed: a bounded buffer and one loop,
/// which the bus starts and awaits.
/// </summary>
internal sealed class ErrorReporter(Node node)
{
    private const int BufferedReports = 4096;

    private readonly Channel<ErrorReport> _buffer = Channel.CreateBounded<ErrorReport>(
        new BoundedChannelOptions(BufferedReports) { FullMode = BoundedChannelFullMode.Wait });

    private Task _loop = Task.CompletedTask;

    /// <summary>Begins to file; <paramref name="file"/> says what became of each. What was reported before waits in the buffer.</summary>
    public void Start(Func<ErrorReport, Task<string>> file) => _loop = FileAllAsync(file);

    /// <summary>Files what is buffered and ends; what cannot be filed within the limit is lost, and said to be.</summary>
    public async Task StopAsync(TimeSpan limit)
    {
        _buffer.Writer.TryComplete();
        try
        {
            await _loop.WaitAsync(limit, node.Clock).ConfigureAwait(false);
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
        if (node.Options.ErrorPolicy == ErrorPolicy.Ignore)
        {
            node.Telemetry.Report("ignored");
            return;
        }

        // A report about the reports would feed on itself.
        if (node.Options.ErrorPolicy == ErrorPolicy.Publish && message.Topic == MeshTopics.Errors.Topic)
        {
            Lost(message.Topic.ToString(), message.Sender, (int)status, "it is about the topic of error reports itself");
            return;
        }

        var (data, encoding) = ErrorReport.Excerpt(message.Body.Span, node.Options.Errors.MaxDataBytes);
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
            Time = node.Clock.GetUtcNow(),
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
        if (node.Options.ErrorPolicy == ErrorPolicy.Ignore)
        {
            node.Telemetry.Report("ignored");
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
            Time = node.Clock.GetUtcNow(),
            Exception = exception,
        });
    }

    private void Add(ErrorReport report)
    {
        if (!_buffer.Writer.TryWrite(report))
        {
            Lost(report.Topic, report.Sender, report.Status, $"more than {BufferedReports} reports wait to be filed, or the node has stopped");
        }
    }

    private async Task FileAllAsync(Func<ErrorReport, Task<string>> file)
    {
        await foreach (var report in _buffer.Reader.ReadAllAsync().ConfigureAwait(false))
        {
            try
            {
                node.Telemetry.Report(await file(report).ConfigureAwait(false));
            }
            catch (Exception failure)
            {
                node.Telemetry.Report("lost");
                Log.ReportFailed(node.Logger, report.Topic, report.Sender, report.Status, failure);
            }
        }
    }

    private void Lost(string topic, string sender, int status, string reason)
    {
        node.Telemetry.Report("lost");
        Log.ReportLost(node.Logger, topic, sender, status, reason);
    }
}
