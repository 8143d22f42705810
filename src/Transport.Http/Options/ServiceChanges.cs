using System.Threading.Channels;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Primitives;

namespace ServiceMesh.Http;

/// <summary>
/// Changes of <c>Services</c> in the configuration while the application runs. What is read is checked as at start; if it is not valid, it
/// is not used.
/// </summary>
/// <param name="section">The section <c>Http</c>; null for none, which does not change.</param>
/// <param name="read">Reads the options again, with everything that the application sets in code.</param>
internal sealed class ServiceChanges(IConfiguration? section, Func<HttpTransportOptions> read)
{
    /// <summary>For options that were made in code.</summary>
    public static readonly ServiceChanges None = new(null, () => throw new InvalidOperationException("No configuration was given."));

    /// <summary>Begins to watch. Disposing the result ends it and waits until the last change has been taken over.</summary>
    /// <param name="changedAsync">
    /// Receives all services after a change, one call at a time. What it throws is logged, and the next change is taken over as usual.
    /// </param>
    /// <param name="logger">The logger.</param>
    public IAsyncDisposable Watch(
        Func<IReadOnlyDictionary<string, HttpServiceOptions>, CancellationToken, Task> changedAsync, ILogger logger) =>
        new Watching(section, read, changedAsync, logger);

    private sealed class Watching : IAsyncDisposable
    {
        private readonly Func<HttpTransportOptions> _read;
        private readonly Func<IReadOnlyDictionary<string, HttpServiceOptions>, CancellationToken, Task> _changedAsync;
        private readonly ILogger _logger;
        private readonly CancellationTokenSource _stop = new();
        private readonly Channel<bool> _changes = Channel.CreateBounded<bool>(
            new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite }); // one more look is enough for all changes
        private readonly IDisposable? _registration;
        private readonly Task _loop = Task.CompletedTask;

        public Watching(
            IConfiguration? section, Func<HttpTransportOptions> read,
            Func<IReadOnlyDictionary<string, HttpServiceOptions>, CancellationToken, Task> changedAsync, ILogger logger)
        {
            (_read, _changedAsync, _logger) = (read, changedAsync, logger);
            if (section is not null)
            {
                _registration = CleanContext.Call(
                    () => ChangeToken.OnChange(section.GetReloadToken, () => { _changes.Writer.TryWrite(true); }));
                _loop = CleanContext.RunAsync(RunAsync);
            }
        }

        public async ValueTask DisposeAsync()
        {
            _registration?.Dispose();
            await _stop.CancelAsync().ConfigureAwait(false);
            await _loop.ConfigureAwait(false);
            _stop.Dispose();
        }

        private async Task RunAsync()
        {
            try
            {
                await foreach (var _ in _changes.Reader.ReadAllAsync(_stop.Token).ConfigureAwait(false))
                {
                    if (TryRead() is { } services)
                    {
                        await TakeOverAsync(services).ConfigureAwait(false);
                    }
                }
            }
            catch (OperationCanceledException) when (_stop.IsCancellationRequested)
            {
                // It was disposed.
            }
        }

        private async Task TakeOverAsync(Dictionary<string, HttpServiceOptions> services)
        {
            try
            {
                await _changedAsync(services, _stop.Token).ConfigureAwait(false);
            }
#pragma warning disable CA1031 // Whatever a resolver or a balancer throws, the next change is seen, and the transport stops in full.
            catch (Exception failure) when (!_stop.IsCancellationRequested || failure is not OperationCanceledException)
#pragma warning restore CA1031
            {
                ReloadLog.TakeOverFailed(_logger, failure);
            }
        }

        private Dictionary<string, HttpServiceOptions>? TryRead()
        {
            try
            {
                return _read().Services;
            }
#pragma warning disable CA1031 // Code of the application that sets options may throw anything; the services stay as they are.
            catch (Exception failure)
#pragma warning restore CA1031
            {
                ReloadLog.NotTakenOver(_logger, (failure as OptionsValidationException)?.Message ?? failure.Message);
                return null;
            }
        }
    }
}

/// <summary>Log messages about changes of services. The ids are stable.</summary>
internal static partial class ReloadLog
{
    [LoggerMessage(450, LogLevel.Warning, "The changed services in the configuration are not used, because they are not valid: {Problems}")]
    public static partial void NotTakenOver(ILogger logger, string problems);

    [LoggerMessage(
        451, LogLevel.Information, "The configuration of services has changed. Added: {Added}; changed: {Changed}; removed: {Removed}")]
    public static partial void TakenOver(ILogger logger, string added, string changed, string removed);

    [LoggerMessage(452, LogLevel.Error, "The changed services in the configuration were not taken over in full")]
    public static partial void TakeOverFailed(ILogger logger, Exception failure);
}
