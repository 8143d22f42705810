using System.Security.Cryptography;
using Microsoft.Extensions.Logging;

namespace ServiceMesh.Http;

/// <summary>
/// A value that is read from files, and read again when they change. It is looked at when it is used, at most once a second; while the new
/// files cannot be read, the last value stays. Thread-safe.
/// </summary>
internal sealed class ReloadedFile<T>
    where T : class
{
    private static readonly TimeSpan s_pause = TimeSpan.FromSeconds(1);

    private readonly Func<T> _read;
    private readonly string[] _paths;
    private readonly TimeProvider _clock;
    private readonly ILogger? _logger;
    private readonly Lock _lock = new();
    private volatile T _value;
    private string _state;
    private long _looked;

    /// <param name="read">Reads the value.</param>
    /// <param name="paths">The files; null for one that is not used.</param>
    /// <param name="clock">The clock.</param>
    /// <param name="logger">Told when files change, or cannot be read; null for nowhere.</param>
    /// <exception cref="Exception">What <paramref name="read"/> throws the first time.</exception>
    public ReloadedFile(Func<T> read, IEnumerable<string?> paths, TimeProvider clock, ILogger? logger)
    {
        (_read, _clock, _logger) = (read, clock, logger);
        _paths = [.. paths.OfType<string>()];
        _state = State();
        _value = read();
        _looked = clock.GetTimestamp();
    }

    /// <summary>The value of the files as they are now.</summary>
    public T Current
    {
        get
        {
            if (_clock.GetElapsedTime(Interlocked.Read(ref _looked)) >= s_pause && _lock.TryEnter())
            {
                try
                {
                    LookNeedsLock();
                }
                finally
                {
                    _lock.Exit();
                }
            }

            return _value;
        }
    }

    private void LookNeedsLock()
    {
        Interlocked.Exchange(ref _looked, _clock.GetTimestamp());
        var state = State();
        if (state == _state)
        {
            return;
        }

        try
        {
            _value = _read();
            _state = state;
            if (_logger is not null)
            {
                CertificateLog.ReadAgain(_logger, string.Join(", ", _paths));
            }
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException or CryptographicException
            or InvalidOperationException)
        {
            // Half of the files may have been written: the next look reads them again.
            if (_logger is not null)
            {
                CertificateLog.NotReadAgain(_logger, string.Join(", ", _paths), failure.Message);
            }
        }
    }

    // Symbolic links are followed, because orchestrators replace the target.
    private string State() => string.Join(';', _paths.Select(path =>
    {
        var file = new FileInfo(path);
        var target = file.Exists ? file.ResolveLinkTarget(returnFinalTarget: true) as FileInfo ?? file : file;
        return target.Exists ? $"{target.FullName}:{target.LastWriteTimeUtc.Ticks}:{target.Length}" : "";
    }));
}
