namespace ServiceMesh.Http;

/// <summary>
/// The least speed of a transfer: its token fires when the bytes so far have taken longer than they may. Not thread-safe: it belongs to
/// one transfer.
/// </summary>
internal sealed class Pace(int bytesPerSecond, TimeProvider clock, CancellationToken gone) : IDisposable
{
    private readonly long _began = clock.GetTimestamp();
    private CancellationTokenSource? _timer;
    private CancellationTokenSource? _either;

    /// <summary>Whether the token has fired because the transfer is too slow.</summary>
    public bool IsTooSlow => _timer is { IsCancellationRequested: true } && !gone.IsCancellationRequested;

    /// <summary>The token for the next step, when so many bytes have been moved.</summary>
    public CancellationToken TokenAfter(long bytes)
    {
        var left = ArrivingBody.Grace + TimeSpan.FromSeconds((double)bytes / bytesPerSecond) - clock.GetElapsedTime(_began);
        left = left > TimeSpan.Zero ? left : TimeSpan.Zero;
        if (_timer is null)
        {
            _timer = new(left, clock);
            _either = CancellationTokenSource.CreateLinkedTokenSource(_timer.Token, gone);
        }
        else
        {
            _timer.CancelAfter(left);
        }

        return _either!.Token;
    }

    public void Dispose()
    {
        _either?.Dispose();
        _timer?.Dispose();
    }
}
