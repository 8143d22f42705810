using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace ServiceMesh;

/// <summary>
/// <c>--servicemesh-contracts FILE</c>: writes the contracts of the application's buses and ends the process, before any service of the
/// host starts. A bus with a key has a file of its own, with the key before the extension.
/// </summary>
/// <param name="services">The services of the host.</param>
/// <param name="output">Where to say what was written.</param>
/// <param name="exit">Ends the process with a code.</param>
internal sealed class ContractsCommand(IServiceProvider services, TextWriter output, Action<int> exit) : IHostedLifecycleService
{
    /// <summary>The key in the configuration, which the command line sets.</summary>
    public const string Key = "servicemesh-contracts";

    public async Task StartingAsync(CancellationToken cancellationToken)
    {
        if (services.GetService<IConfiguration>()?[Key] is not { Length: > 0 } file)
        {
            return;
        }

        try
        {
            foreach (var bus in services.GetServices<BusName>().Select(b => b.Name))
            {
                var path = bus.Length == 0 ? file : Path.ChangeExtension(file, $"{bus}{Path.GetExtension(file)}");
                await File.WriteAllTextAsync(path, services.GetServiceMeshContracts(bus), cancellationToken).ConfigureAwait(false);
                await output.WriteLineAsync($"The contracts are in {path}.").ConfigureAwait(false);
            }
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException or ArgumentException)
        {
            await output.WriteLineAsync($"--{Key} {file}: {failure.Message}").ConfigureAwait(false);
            exit(1);
            return;
        }

        exit(0);
    }

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}

/// <summary>The key of a bus that was added, in the order of adding.</summary>
internal sealed record BusName(string Name);
