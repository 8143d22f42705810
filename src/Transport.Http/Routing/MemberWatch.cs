using System.Globalization;
using System.Text.Json;
using Microsoft.Extensions.Logging;

namespace ServiceMesh.Http;

/// <summary>
/// Watches one endpoint: asks the node who it is, and hears of each change through a long poll, which is its active health
/// check too. Of a foreign server it asks the configured path, if there is one.
/// </summary>
internal sealed class MemberWatch
{
    private const int MostBytesOfDocument = 16 * 1024 * 1024;
    private static readonly TimeSpan s_firstPause = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan s_longestPause = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan s_firstDrainPause = TimeSpan.FromMilliseconds(5);
    private static readonly TimeSpan s_longestDrainPause = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan s_quick = TimeSpan.FromMilliseconds(50);
    private static long s_watches;

    private readonly Mesh _mesh;
    private readonly Connections _connections;
    private readonly TransportContext _context;
    private readonly HttpHealthSettings _health;
    private readonly ILogger _logger;
    private readonly CancellationTokenSource _stop;
    private readonly TaskCompletionSource _first = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly string _name;
    private TimeSpan _drainPause = TimeSpan.Zero;
    private int _quickAnswers; // in a row, to polls that should have waited
    private TaskCompletionSource _askNow = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public MemberWatch(
        Member member, Mesh mesh, Connections connections, TransportContext context, HttpHealthSettings health, ILogger logger, CancellationToken stopping)
    {
        Member = member;
        _mesh = mesh;
        _connections = connections;
        _context = context;
        _health = health;
        _logger = logger;
        _stop = CancellationTokenSource.CreateLinkedTokenSource(stopping);
        _name = string.Create(CultureInfo.InvariantCulture, $"{context.NodeId}.{Interlocked.Increment(ref s_watches)}");
    }

    public Member Member { get; }

    /// <summary>Ends when it has answered or failed to for the first time.</summary>
    public Task FirstAnswer => _first.Task;

    /// <summary>Ends when the watch has.</summary>
    public Task Ended { get; private set; } = Task.CompletedTask;

    public void Start() => Ended = Task.Run(RunAsync);

    public void End() => _ = _stop.CancelAsync();

    /// <summary>Asks without waiting for the next turn.</summary>
    public void AskNow() => Volatile.Read(ref _askNow).TrySetResult();

    private async Task RunAsync()
    {
        var pause = s_firstPause;
        try
        {
            while (!_stop.IsCancellationRequested)
            {
                try
                {
                    await (Member.Service.IsForeign ? ProbeAsync() : PollAsync()).ConfigureAwait(false);
                    await SucceededAsync().ConfigureAwait(false);
                    pause = s_firstPause;
                    await BeforeNextAsync().ConfigureAwait(false);
                }
                catch (Exception failure) when (!_stop.IsCancellationRequested)
                {
                    // Whatever a server answers, it must stay watched.
                    await FailedAsync(failure).ConfigureAwait(false);
                    await WaitAsync(pause).ConfigureAwait(false);
                    pause = pause * 2 < s_longestPause ? pause * 2 : s_longestPause;
                }
            }
        }
        catch (Exception) when (_stop.IsCancellationRequested)
        {
            // The address is gone, or the node stops; a question that failed at the same moment changes nothing about that.
        }
        finally
        {
            _first.TrySetResult();
            _stop.Dispose();
        }
    }

    // One long poll of the node document. With what is known already it ends when there is news, or after the interval. A
    // node that was unreachable is asked without waiting: that it answers is the news.
    private async Task PollAsync()
    {
        var known = Member.Document;
        var isIdle = known is { Draining: true } && Member.Endpoint.InFlight == 0;
        var wait = known is null || !Member.IsReachable || (known.Draining && !isIdle) ? TimeSpan.Zero : _health.Interval;
        var path = known is null
            ? "/mesh/v1/node"
            : string.Create(CultureInfo.InvariantCulture, $"/mesh/v1/node?of={Uri.EscapeDataString(known.Id)}&version={known.Version}&wait={wait.TotalSeconds:0.###}{(isIdle ? "&idle=1" : "")}");
        var asked = _context.Clock.GetTimestamp();
        var response = await GetAsync(path, wait + _health.Timeout, known is not null).ConfigureAwait(false);
        var took = _context.Clock.GetElapsedTime(asked);
        if (response is not { Status: 200 } answer || !answer.Headers.Any(h => h.Name.Equals(MeshHeader.Status, StringComparison.OrdinalIgnoreCase)))
        {
            throw new HttpRequestException(
                response is { } other
                    ? $"answered {other.Status} with '{other.ContentType}', which is not how a ServiceMesh node answers{(ProblemDetails.ReadDetail(other.Body.Span) is { } detail ? $": {detail}" : "")}"
                    : "answered with a document that is too large");
        }

        var document = JsonSerializer.Deserialize(answer.Body.Span, HttpJsonContext.Default.NodeDocument);
        if (document is null || document.Requests.Contains(null!) || document.Signals.Contains(null!))
        {
            throw new JsonException("The node document is null, or something in it is.");
        }

        var isQuick = known is not null && wait > TimeSpan.Zero && took < s_quick && (document.Id != known.Id || document.Version == known.Version);
        _quickAnswers = isQuick ? _quickAnswers + 1 : 0;
        if (_quickAnswers == 2 && document.Id != known!.Id)
        {
            HttpLog.EndpointIsMany(_logger, Member.Endpoint, Member.Service.Name, known.Id, document.Id);
        }

        Member.Endpoint.ReportedLoad = document.Load;
        Member.Endpoint.State = document.Draining ? EndpointState.Draining : EndpointState.Healthy;
        _drainPause = document.Draining ? _drainPause : TimeSpan.Zero;
        await _mesh.LearnAsync(Member, document, _stop.Token).ConfigureAwait(false);
    }

    private async Task ProbeAsync()
    {
        if (Member.Service.Settings.HealthPath is not { } path)
        {
            return;
        }

        var response = await GetAsync(path, _health.Timeout, interruptible: false).ConfigureAwait(false);
        if (response is not { Status: < 300 })
        {
            throw new HttpRequestException($"answered {path} with {(response is { } answer ? $"{answer.Status}" : "too much")}");
        }

        Member.Endpoint.State = EndpointState.Healthy;
    }

    private async Task<HttpReply?> GetAsync(string path, TimeSpan time, bool interruptible)
    {
        var askNow = Renew();
        using var limit = new CancellationTokenSource(time, _context.Clock);
        using var linked = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, _stop.Token);
        var asking = _connections.SendAsync(
            Member, HttpMethod.Get, path, [(MeshHeader.Watcher, _name)], "", default, MostBytesOfDocument, linked.Token);
        try
        {
            while (interruptible && await Task.WhenAny(asking, askNow).ConfigureAwait(false) == askNow)
            {
                // Somebody doubts that it is well. The poll may hang because nothing happens or because nobody is there: a
                // second question, which need not wait, tells.
                askNow = Renew();
                await DoubtAsync().ConfigureAwait(false);
            }

            return await asking.ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (!_stop.IsCancellationRequested)
        {
            throw new HttpRequestException($"did not answer within {time.TotalSeconds:0.###} s");
        }
        finally
        {
            await linked.CancelAsync().ConfigureAwait(false);
            await ((Task)asking).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task DoubtAsync()
    {
        using var limit = new CancellationTokenSource(_health.Timeout, _context.Clock);
        using var linked = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, _stop.Token);
        await _connections.SendAsync(Member, HttpMethod.Get, "/mesh/v1/health", [], "", default, MostBytesOfDocument, linked.Token).ConfigureAwait(false);
    }

    private async Task SucceededAsync()
    {
        if (Member.Trouble is not null)
        {
            Member.Trouble = null;
            HttpLog.EndpointIsBack(_logger, Member.Service.Name, Member.Endpoint);
            await _mesh.ChangedAsync(_stop.Token).ConfigureAwait(false);
        }

        _first.TrySetResult();
    }

    private async Task FailedAsync(Exception failure)
    {
        var reason = Connections.ReasonOf(failure);
        var hadLeft = Member.Document is { Draining: true };
        if (Member.Trouble is null)
        {
            HttpLog.EndpointIsUnreachable(_logger, Member.Service.Name, Member.Endpoint, reason, hadLeft ? LogLevel.Debug : LogLevel.Information);
        }

        Member.Trouble = reason;
        var wasReachable = Member.IsReachable;
        Member.Endpoint.State = EndpointState.Unreachable;
        Member.Service.Group.AskAgainIfNoneAnswers();
        if (hadLeft)
        {
            // It said that it would go, and has gone: what it handled is nobody's any more.
            await _mesh.LearnAsync(Member, null, _stop.Token).ConfigureAwait(false);
        }
        else if (wasReachable && Member.Document is not null)
        {
            await _mesh.ChangedAsync(_stop.Token).ConfigureAwait(false); // another address may lead to the same node
        }

        _first.TrySetResult();
    }

    // Most polls wait at the server, so the next one follows at once.
    private Task BeforeNextAsync() => Member switch
    {
        { Service: { IsForeign: true, Settings.HealthPath: null } } => WaitAsync(Timeout.InfiniteTimeSpan),
        { Service.IsForeign: true } => WaitAsync(_health.Interval),
        { Document: { } self } when self.Id == _context.NodeId => WaitAsync(_health.Interval),
        { Document.Draining: true } => WaitAsync(NextDrainPause()),
        _ => WaitAsync(PauseOfQuickAnswers()),
    };

    // Something between that does not let a poll wait, or sends each to another node, must not make this a busy loop.
    private TimeSpan PauseOfQuickAnswers()
    {
        var pause = s_firstPause * Math.Pow(2, Math.Min(_quickAnswers - 2, 10));
        return _quickAnswers < 2 ? TimeSpan.Zero : pause < s_longestPause ? pause : s_longestPause;
    }

    // The first poll after the news says that it was heard, so it follows at once; then the node is only asked until it goes.
    private TimeSpan NextDrainPause()
    {
        var pause = _drainPause;
        var next = pause == TimeSpan.Zero ? s_firstDrainPause : pause * 2;
        _drainPause = next < s_longestDrainPause ? next : s_longestDrainPause;
        return pause;
    }

    private async Task WaitAsync(TimeSpan pause)
    {
        if (pause == TimeSpan.Zero)
        {
            return;
        }

        using var over = CancellationTokenSource.CreateLinkedTokenSource(_stop.Token);
        var askNow = Volatile.Read(ref _askNow).Task;
        await Task.WhenAny(Task.Delay(pause, _context.Clock, over.Token), askNow).ConfigureAwait(false);
        await over.CancelAsync().ConfigureAwait(false);
        if (askNow.IsCompleted)
        {
            _ = Renew();
        }

        _stop.Token.ThrowIfCancellationRequested();
    }

    private Task Renew()
    {
        var next = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        Volatile.Write(ref _askNow, next);
        return next.Task;
    }
}
