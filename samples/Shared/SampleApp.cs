using System.Net;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Console;
using Microsoft.Extensions.Options;

namespace ServiceMesh.Samples;

/// <summary>
/// The common part of the samples: roles, configuration, and a console on which results go to stdout and everything
/// else to stderr.
/// </summary>
/// <remarks>
/// Exit codes: 0 success; 1 the call failed; 2 the sample did not start, because the command line, the configuration or a server
/// that they name is wrong; 130 interrupted. Every code except 0 comes with one line on stderr that names the cause.
/// </remarks>
public static class SampleApp
{
    /// <summary>Runs one sample from its command line to its exit code.</summary>
    /// <param name="args">The arguments of the program.</param>
    /// <param name="usage">The line of <c>--help</c> that explains the argument.</param>
    /// <param name="configure">Adds the bus, and the handlers in roles that serve.</param>
    /// <param name="client">Calls services and prints the results; a server does not run it. The string is the argument, or null.</param>
    /// <param name="redis">Starts a Redis server at an address, for <see cref="Role.Redis"/>; null for a sample that has none.</param>
    public static async Task<int> RunAsync(
        string[] args,
        string usage,
        Action<HostApplicationBuilder, Role> configure,
        Func<IServiceBus, string?, CancellationToken, Task> client,
        Func<IPEndPoint, IHostedService>? redis = null)
    {
        var running = false;
        try
        {
            var commandLine = CommandLine.Parse(args);
            if (commandLine.AsksForHelp)
            {
                var roles = string.Join('|', RolesOf(redis));
                Console.WriteLine($"{usage}\n[--Role {roles}] [--ServiceMesh:KEY VALUE …] [--Logging:LogLevel:CATEGORY LEVEL …]");
                return 0;
            }

            var app = CreateBuilder(commandLine.Settings);
            var role = ReadRole(app.Configuration["Role"] ?? nameof(Role.All), RolesOf(redis));
            var address = role == Role.Redis ? RedisAddress.Of(app.Configuration["ServiceMesh:Redis:Configuration"]) : null;
            if (address is not null)
            {
                app.Services.AddSingleton(redis!(address));
            }
            else
            {
                configure(app, role);
            }

            using var host = app.Build();
            await host.StartAsync();
            running = true;
            await (role switch
            {
                Role.Redis => WaitAsync(host, $"A Redis server listens on {address}"),
                Role.Server => ServeAsync(host),
                _ => CallAsync(host, commandLine.Argument, client),
            });
            return 0;
        }
        catch (OperationCanceledException)
        {
            return Report("Interrupted.", 130);
        }
        catch (Exception failure) when (failure is UsageException or ServiceMeshException || !running)
        {
            // Any other exception of a running client is a defect of the sample, so its stack trace should be printed.
            return Report(Describe(failure), failure is ServiceMeshException ? 1 : 2);
        }
    }

    private static HostApplicationBuilder CreateBuilder(string[] settings)
    {
        // appsettings.json is beside the program, whatever the current directory is.
        var app = Host.CreateApplicationBuilder(
            new HostApplicationBuilderSettings { Args = settings, ContentRootPath = AppContext.BaseDirectory });
        app.Logging.ClearProviders().AddSimpleConsole(console => console.SingleLine = true);
        app.Services.Configure<ConsoleLoggerOptions>(console => console.LogToStandardErrorThreshold = LogLevel.Trace);

        // The host logs a failed start with a stack trace and then throws. The sample prints only one line for the exception.
        app.Logging.AddFilter("Microsoft.Extensions.Hosting.Internal.Host", LogLevel.None);
        return app;
    }

    private static string[] RolesOf(Func<IPEndPoint, IHostedService>? redis) =>
        [.. Enum.GetNames<Role>().Where(name => redis is not null || name != nameof(Role.Redis))];

    private static Role ReadRole(string text, string[] roles) => roles.Contains(text, StringComparer.OrdinalIgnoreCase)
        ? Enum.Parse<Role>(text, ignoreCase: true)
        : throw new UsageException($"Role is '{text}'; allowed are: {string.Join(", ", roles)}.");

    private static async Task WaitAsync(IHost host, string what)
    {
        await Console.Error.WriteLineAsync($"{what}. Ctrl-C stops it.");
        await host.WaitForShutdownAsync();
    }

    private static async Task ServeAsync(IHost host)
    {
        var node = host.Services.GetRequiredService<IServiceBus>().DescribeNode();
        var transport = host.Services.GetRequiredService<IOptions<ServiceMeshOptions>>().Value.Transport;
        await Console.Error.WriteLineAsync($"Node '{node.Id}' serves over {transport}. Ctrl-C drains and stops it.");
        await host.WaitForShutdownAsync();
        await Console.Error.WriteLineAsync($"Node '{node.Id}' has stopped.");
    }

    private static async Task CallAsync(IHost host, string? argument, Func<IServiceBus, string?, CancellationToken, Task> client)
    {
        var interrupted = host.Services.GetRequiredService<IHostApplicationLifetime>().ApplicationStopping;
        try
        {
            await client(host.Services.GetRequiredService<IServiceBus>(), argument, interrupted);
        }
        finally
        {
            // Drains, so that signals in flight reach their subscribers before the process ends.
            await host.StopAsync(CancellationToken.None);
        }
    }

    private static string Describe(Exception failure)
    {
        var cause = failure.GetBaseException();
        return failure is ServiceMeshException || cause == failure ? failure.Message : $"{failure.Message} {cause.Message}";
    }

    private static int Report(string message, int exitCode)
    {
        Console.Error.WriteLine(message.ReplaceLineEndings(" "));
        return exitCode;
    }
}
