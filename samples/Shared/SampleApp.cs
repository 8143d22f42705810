using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Console;
using Microsoft.Extensions.Options;

namespace ServiceMesh.Samples;

/// <summary>
/// What the samples have in common: roles, configuration, and a console on which results go to stdout and everything
/// else to stderr.
/// </summary>
/// <remarks>
/// Exit codes: 0 done; 1 the call failed; 2 it did not start, because the command line, the configuration, or what they
/// name is wrong; 130 interrupted. Each but 0 with one line on stderr that says why.
/// </remarks>
public static class SampleApp
{
    /// <summary>Runs one sample from its command line to its exit code.</summary>
    /// <param name="args">Of the program.</param>
    /// <param name="usage">What the one argument is, for <c>--help</c>.</param>
    /// <param name="configure">Adds the bus, and the handlers in roles that serve.</param>
    /// <param name="client">Calls and prints; not run by a server. Its string is the argument, null when there is none.</param>
    public static async Task<int> RunAsync(
        string[] args,
        string usage,
        Action<HostApplicationBuilder, Role> configure,
        Func<IServiceBus, string?, CancellationToken, Task> client)
    {
        var running = false;
        try
        {
            var commandLine = CommandLine.Parse(args);
            if (commandLine.AsksForHelp)
            {
                Console.WriteLine($"{usage}\n[--Role All|Server|Client] [--ServiceMesh:KEY VALUE …] [--Logging:LogLevel:CATEGORY LEVEL …]");
                return 0;
            }

            var app = CreateBuilder(commandLine.Settings);
            var role = ReadRole(app.Configuration["Role"] ?? nameof(Role.All));
            configure(app, role);
            using var host = app.Build();
            await host.StartAsync();
            running = true;
            await (role == Role.Server ? ServeAsync(host) : CallAsync(host, commandLine.Argument, client));
            return 0;
        }
        catch (OperationCanceledException)
        {
            return Say("Interrupted.", 130);
        }
        catch (Exception failure) when (failure is UsageException or ServiceMeshException || !running)
        {
            // Whatever else a running client throws is a defect of the sample, and its stack trace should be seen.
            return Say(Describe(failure), failure is ServiceMeshException ? 1 : 2);
        }
    }

    private static HostApplicationBuilder CreateBuilder(string[] settings)
    {
        // appsettings.json lies beside the program, wherever that is started from.
        var app = Host.CreateApplicationBuilder(new HostApplicationBuilderSettings { Args = settings, ContentRootPath = AppContext.BaseDirectory });
        app.Logging.ClearProviders().AddSimpleConsole(console => console.SingleLine = true);
        app.Services.Configure<ConsoleLoggerOptions>(console => console.LogToStandardErrorThreshold = LogLevel.Trace);

        // The host logs with a stack trace what it then throws, and that ends as one line below.
        app.Logging.AddFilter("Microsoft.Extensions.Hosting.Internal.Host", LogLevel.None);
        return app;
    }

    private static Role ReadRole(string text) =>
        Enum.GetNames<Role>().Contains(text, StringComparer.OrdinalIgnoreCase)
            ? Enum.Parse<Role>(text, ignoreCase: true)
            : throw new UsageException($"Role is '{text}'; allowed are: {string.Join(", ", Enum.GetNames<Role>())}.");

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
            // Drains: signals that are under way reach their subscribers before the process ends.
            await host.StopAsync(CancellationToken.None);
        }
    }

    private static string Describe(Exception failure)
    {
        var cause = failure.GetBaseException();
        return failure is ServiceMeshException || cause == failure ? failure.Message : $"{failure.Message} {cause.Message}";
    }

    private static int Say(string message, int exitCode)
    {
        Console.Error.WriteLine(message.ReplaceLineEndings(" "));
        return exitCode;
    }
}
