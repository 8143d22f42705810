using System.Globalization;
using Microsoft.Extensions.Logging;

namespace ServiceMesh.Http;

/// <summary>
/// Watches one endpoint. A node is asked for its document and reports each change through a long poll, which is also its active health
/// check. A foreign server is asked for its configured health path, if it has one.
/// </summary>
internal sealed class MemberWatch
{
    private const int MaxDocumentBytes = 4 * 1024 * 1024;
    private const int MaxNodes = 64;
    private static readonly TimeSpan s_firstPause = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan s_maxPause = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan s_firstDrainPause = TimeSpan.FromMilliseconds(5);
    private static readonly TimeSpan s_maxDrainPause = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan s_warning = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan s_quick = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan s_clockAge = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan s_maxFarewell = TimeSpan.FromMilliseconds(250);
    private static long s_watches;

    private readonly IMemberObserver _observer;
    private readonly BufferedClient _client;
    private readonly TransportContext _context;
    private readonly HttpHealthOptions _health;
    private readonly ILogger _logger;
    private readonly CancellationTokenSource _stop;
    private readonly TaskCompletionSource _first = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly string _name;
    private TimeSpan _drainPause = TimeSpan.Zero;
    private long _askedClockAt;
    private readonly HashSet<string> _nodes = []; // the ids that have answered here; more than one address needs
    private TimeSpan _longestWait; // of a poll: less than the interval where a proxy cuts polls off
    private bool _isDrainConfirmed;
    private long? _unreachableSince;
    private bool _hasWarned;
    private int _quickAnswers; // consecutive quick answers to polls that should have waited
    private TaskCompletionSource _probeNow = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public MemberWatch(
        Member member, IMemberObserver observer, BufferedClient client, TransportContext context, HttpHealthOptions health, ILogger logger,
        CancellationToken stopping)
    {
        Member = member;
        _observer = observer;
        _client = client;
        _context = context;
        _health = health;
        _longestWait = health.Interval;
        _logger = logger;
        _stop = CancellationTokenSource.CreateLinkedTokenSource(stopping);
        _name = string.Create(CultureInfo.InvariantCulture, $"{context.NodeId}.{Interlocked.Increment(ref s_watches)}");
    }

    public Member Member { get; }

    /// <summary>Completes when the member has answered or failed for the first time.</summary>
    public Task FirstAnswer => _first.Task;

    /// <summary>Completes when the watch has ended.</summary>
    public Task Ended { get; private set; } = Task.CompletedTask;

    public void Start() => Ended = CleanContext.RunAsync(RunAsync);

    public void End() => _ = _stop.CancelAsync();

    /// <summary>Asks the member without waiting for the next turn.</summary>
    public void ProbeNow() => Volatile.Read(ref _probeNow).TrySetResult();

    private async Task RunAsync()
    {
        var pause = s_firstPause;
        try
        {
            while (!_stop.IsCancellationRequested)
            {
                var asked = _context.Clock.GetTimestamp();
                try
                {
                    await (Member.Service.IsForeign ? CheckHealthPathAsync() : PollAsync()).ConfigureAwait(false);
                    await SucceededAsync().ConfigureAwait(false);
                    pause = s_firstPause;
                    await BeforeNextAsync().ConfigureAwait(false);
                }
                catch (Exception failure) when (!_stop.IsCancellationRequested)
                {
                    // Whatever a server answers, the watch must go on.
                    if (!await AnswersAllTheSameAsync(failure, _context.Clock.GetElapsedTime(asked)).ConfigureAwait(false))
                    {
                        await FailedAsync(failure).ConfigureAwait(false);
                    }

                    await WaitAsync(pause).ConfigureAwait(false);
                    pause = pause * 2 < s_maxPause ? pause * 2 : s_maxPause;
                }
            }
        }
        catch (Exception) when (_stop.IsCancellationRequested)
        {
            // The address is gone, or the node stops. A request that failed at the same moment does not matter.
        }
        finally
        {
            _first.TrySetResult();
            _stop.Dispose();
        }

        await SayLeftAsync().ConfigureAwait(false);
    }

    // The closed connection of a poll says it too, but the watch may have ended between two polls. Then the member, if it stops at the
    // same time, would wait for the next one.
    private async Task SayLeftAsync()
    {
        if (Member is not { Service.IsForeign: false, IsReachable: true, Document: { } document } || document.Id == _context.NodeId)
        {
            return;
        }

        using var limit = new CancellationTokenSource(s_maxFarewell, _context.Clock);
        await ((Task)SendAsync("/mesh/v1/node?left=1", isWatching: true, limit.Token))
            .ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    // One long poll of the node document. If the document is known, the poll ends when it changes, or after the interval. A node that was
    // unreachable is asked without waiting, because that it answers is the news.
    private async Task PollAsync()
    {
        var known = Member.Document;
        var isIdle = known is { Draining: true } && Member.Endpoint.InFlight == 0;
        var wait = known is null || !Member.IsReachable || (known.Draining && !isIdle) || IsClockDue()
            ? TimeSpan.Zero
            : _longestWait;
        var asked = _context.Clock.GetTimestamp();
        var path = PollPath(known, wait, isIdle);
        var exchange = await GetAsync(path, wait + _health.Timeout, isInterruptible: known is not null).ConfigureAwait(false);
        var took = _context.Clock.GetElapsedTime(asked);
        var document = Read(exchange);
        if (wait == TimeSpan.Zero)
        {
            _askedClockAt = asked;
        }

        if (wait == TimeSpan.Zero && document.Clock is { Id: not 0 } clock)
        {
            Member.Clock.Measure(clock.Id, clock.Milliseconds, asked, _context.Clock.GetTimestamp());
        }

        var isQuick = known is not null && wait > TimeSpan.Zero && took < s_quick
            && (document.Id != known.Id || document.Version == known.Version);
        _quickAnswers = isQuick ? _quickAnswers + 1 : 0;
        if (_quickAnswers == 2 && document.Id != known!.Id)
        {
            MembershipLog.EndpointIsMany(_logger, Member.Endpoint, Member.Service.Name, known.Id, document.Id);
        }

        Recognize(document);
        if (document.Draining && !Member.Endpoint.IsMany && !_isDrainConfirmed && known is { Draining: false })
        {
            // One node of several behind the address may drain: another question tells whether all do.
            _isDrainConfirmed = true;
            document = await AskAtOnceAsync().ConfigureAwait(false);
        }

        await TakeAsync(document).ConfigureAwait(false);
    }

    private async Task TakeAsync(NodeDocument document)
    {
        if (Member.Endpoint.IsMany && document.Draining)
        {
            document = document with { Draining = false }; // the others behind the address go on
        }

        _isDrainConfirmed &= document.Draining;
        Member.Endpoint.ReportedLoad = document.Load;
        Member.Endpoint.State = document.Draining ? EndpointState.Draining : EndpointState.Healthy;
        _drainPause = document.Draining ? _drainPause : TimeSpan.Zero;
        await _observer.LearnAsync(Member, document, _stop.Token).ConfigureAwait(false);
    }

    // Only a poll that does not wait measures the clock of the node, and clocks drift.
    private bool IsClockDue() => _context.Clock.GetElapsedTime(_askedClockAt) >= s_clockAge;

    // A node that is replaced has an id that is new. An id that returns means that several nodes take turns at the address.
    private void Recognize(NodeDocument document)
    {
        if (Member.Document is { } known && document.Id != known.Id)
        {
            Member.Endpoint.IsMany |= _nodes.Contains(document.Id);
            if (_nodes.Count >= MaxNodes)
            {
                _nodes.Clear();
            }

            _nodes.Add(known.Id);
        }
    }

    private async Task<NodeDocument> AskAtOnceAsync()
    {
        var path = PollPath(Member.Document, TimeSpan.Zero, isIdle: false);
        var document = Read(await GetAsync(path, _health.Timeout, isInterruptible: false).ConfigureAwait(false));
        Recognize(document);
        return document;
    }

    /// <summary>
    /// A poll of a node that was reachable has failed, and not for want of a connection: a proxy may have cut it off, or one of several
    /// nodes may have gone. A second question that does not wait decides, and so do requests that succeed meanwhile.
    /// </summary>
    private async Task<bool> AnswersAllTheSameAsync(Exception failure, TimeSpan took)
    {
        if (Member is not { IsReachable: true, Document: not null, Service.IsForeign: false } || SendFailure.WasNotSent(failure))
        {
            return false;
        }

        var asked = _context.Clock.GetTimestamp();
        try
        {
            await TakeAsync(await AskAtOnceAsync().ConfigureAwait(false)).ConfigureAwait(false);
        }
        catch (Exception second) when (!_stop.IsCancellationRequested)
        {
            return !SendFailure.WasNotSent(second) && Member.Endpoint.LastSuccess > asked;
        }

        if (took > s_quick && took < _longestWait + _health.Timeout && took / 2 < _longestWait)
        {
            _longestWait = took / 2 > s_firstPause ? took / 2 : s_firstPause;
            MembershipLog.PollsAreCut(_logger, Member.Endpoint, Member.Service.Name, took.TotalSeconds, _longestWait.TotalSeconds);
        }

        await SucceededAsync().ConfigureAwait(false);
        return true;
    }

    private static string PollPath(NodeDocument? known, TimeSpan wait, bool isIdle)
    {
        if (known is null)
        {
            return "/mesh/v1/node";
        }

        var idle = isIdle ? "&idle=1" : "";
        return string.Create(
            CultureInfo.InvariantCulture,
            $"/mesh/v1/node?of={Uri.EscapeDataString(known.Id)}&version={known.Version}&wait={wait.TotalSeconds:0.###}{idle}");
    }

    private static NodeDocument Read(HttpExchange exchange)
    {
        if (exchange.IsTooLarge)
        {
            throw new HttpRequestException("answered with a document that is too large");
        }

        if (exchange is not { Status: 200, Headers.Status: not null })
        {
            var detail = ProblemDetails.ReadDetail(exchange.Body.Span) is { } text ? $": {text}" : "";
            throw new HttpRequestException(
                $"answered {exchange.Status} with '{exchange.ContentType}', which is not how a ServiceMesh node answers{detail}");
        }

        return NodeDocument.Read(exchange.Body.Span);
    }

    private async Task CheckHealthPathAsync()
    {
        if (Member.Service.Settings.HealthPath is not { } path)
        {
            return;
        }

        var exchange = await GetAsync(path, _health.Timeout, isInterruptible: false).ConfigureAwait(false);
        if (exchange.IsTooLarge || exchange.Status >= 300)
        {
            var what = exchange.IsTooLarge ? "a body that is too large" : exchange.Status.ToString(CultureInfo.InvariantCulture);
            throw new HttpRequestException($"answered {path} with {what}");
        }

        Member.Endpoint.State = EndpointState.Healthy;
    }

    private async Task<HttpExchange> GetAsync(string path, TimeSpan time, bool isInterruptible)
    {
        var probeNow = Renew();
        using var limit = new CancellationTokenSource(time, _context.Clock);
        using var linked = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, _stop.Token);
        var asking = SendAsync(path, isWatching: true, linked.Token);
        try
        {
            while (isInterruptible && await Task.WhenAny(asking, probeNow).ConfigureAwait(false) == probeNow)
            {
                // A request to the member has failed. The poll may hang because nothing changes, or because the member is gone: a second
                // request, which need not wait, tells which.
                probeNow = Renew();
                await CheckHealthAsync().ConfigureAwait(false);
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

    private async Task CheckHealthAsync()
    {
        using var limit = new CancellationTokenSource(_health.Timeout, _context.Clock);
        using var linked = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, _stop.Token);
        await SendAsync("/mesh/v1/health", isWatching: false, linked.Token).ConfigureAwait(false);
    }

    private async Task<HttpExchange> SendAsync(string path, bool isWatching, CancellationToken cancellationToken)
    {
        using var request = _client.Make(Member.Target, HttpMethod.Get, Member.UriOf(path), "", default);
        if (isWatching)
        {
            request.Headers.TryAddWithoutValidation(MeshHeader.Watcher, _name);
        }

        return await _client.SendAsync(request, Member.Target, MaxDocumentBytes, TimeSpan.Zero, cancellationToken).ConfigureAwait(false);
    }

    private async Task SucceededAsync()
    {
        (_unreachableSince, _hasWarned) = (null, false);
        if (Member.Trouble is not null)
        {
            Member.Trouble = null;
            MembershipLog.EndpointIsBack(_logger, Member.Service.Name, Member.Endpoint);
            await _observer.ChangedAsync(_stop.Token).ConfigureAwait(false);
        }

        _first.TrySetResult();
    }

    private async Task FailedAsync(Exception failure)
    {
        var reason = SendFailure.Describe(failure);
        var hadLeft = Member.Document is { Draining: true };
        if (Member.Trouble is null)
        {
            var level = hadLeft ? LogLevel.Debug : LogLevel.Information;
            MembershipLog.EndpointIsUnreachable(_logger, Member.Service.Name, Member.Endpoint, reason, level);
        }

        Warn(reason);
        Member.Trouble = reason;
        var wasReachable = Member.IsReachable;
        Member.Endpoint.State = EndpointState.Unreachable;
        Member.Service.Group.AskAgainIfNoneAnswers();
        if (hadLeft)
        {
            // The node announced that it would leave, and has left: it handles nothing now.
            await _observer.LearnAsync(Member, null, _stop.Token).ConfigureAwait(false);
        }
        else if (wasReachable && Member.Document is not null)
        {
            await _observer.ChangedAsync(_stop.Token).ConfigureAwait(false); // another address may lead to the same node
        }

        _first.TrySetResult();
    }

    // A node that restarts is back before an operator could look. A node that had announced that it leaves may stay away.
    private void Warn(string reason)
    {
        var now = _context.Clock.GetTimestamp();
        _unreachableSince ??= now;
        var away = _context.Clock.GetElapsedTime(_unreachableSince.Value, now);
        if (!_hasWarned && away >= s_warning)
        {
            _hasWarned = true;
            MembershipLog.EndpointStaysUnreachable(
                _logger, Member.Endpoint, Member.Service.Name, Math.Round(away.TotalSeconds), Printable.Detail(reason));
        }
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

    // A proxy that does not let a poll wait, or that sends each poll to another node, must not make this a busy loop.
    private TimeSpan PauseOfQuickAnswers()
    {
        var pause = s_firstPause * Math.Pow(2, Math.Min(_quickAnswers - 2, 10));
        return _quickAnswers < 2 ? TimeSpan.Zero : pause < s_maxPause ? pause : s_maxPause;
    }

    // The first poll after the news confirms it, so it follows at once. After that the node is only asked until it is gone.
    private TimeSpan NextDrainPause()
    {
        var pause = _drainPause;
        var next = pause == TimeSpan.Zero ? s_firstDrainPause : pause * 2;
        _drainPause = next < s_maxDrainPause ? next : s_maxDrainPause;
        return pause;
    }

    private async Task WaitAsync(TimeSpan pause)
    {
        if (pause == TimeSpan.Zero)
        {
            return;
        }

        using var over = CancellationTokenSource.CreateLinkedTokenSource(_stop.Token);
        var probeNow = Volatile.Read(ref _probeNow).Task;
        await Task.WhenAny(Task.Delay(pause, _context.Clock, over.Token), probeNow).ConfigureAwait(false);
        await over.CancelAsync().ConfigureAwait(false);
        if (probeNow.IsCompleted)
        {
            _ = Renew();
        }

        _stop.Token.ThrowIfCancellationRequested();
    }

    private Task Renew()
    {
        var next = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        Volatile.Write(ref _probeNow, next);
        return next.Task;
    }
}
