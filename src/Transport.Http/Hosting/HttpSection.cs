using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace ServiceMesh.Http;

/// <summary>
/// The section <c>Http</c> of a bus, read once for the transport and for HttpClients alike. Where there is no bus, HttpClients read
/// <c>ServiceMesh:Http</c> of the application's configuration.
/// </summary>
internal static class HttpSection
{
    /// <summary>Adds the options of one bus, bound to its section and checked at start; adding them again changes nothing.</summary>
    public static OptionsBuilder<HttpTransportOptions> AddOptions(IServiceCollection services, string busName)
    {
        var options = services.AddOptions<HttpTransportOptions>(busName);
        if (services.Any(d => d.IsKeyedService && d.ServiceType == typeof(Added) && busName.Equals(d.ServiceKey)))
        {
            return options;
        }

        services.AddKeyedSingleton<Added>(busName);
        const string Reloaded = $"{HttpTransportOptions.TransportName}:{nameof(HttpTransportOptions.Services)}";
        services.AddKeyedSingleton(busName, new ReloadedKeys(Reloaded));
        services.AddSingleton<IValidateOptions<HttpTransportOptions>>(provider => new HttpOptionsValidator(busName, provider));
        return options.ValidateOnStart()
            .Configure<IServiceProvider>((target, provider) =>
            {
                if (Of(provider, busName) is { } section)
                {
                    SectionBinding.Explained(() => section.Bind(target), typeof(HttpSessions));
                }
            })
            .PostConfigure<IServiceProvider>((target, provider) =>
            {
                target.KeyOf = key => Path(provider, busName, $"{HttpTransportOptions.TransportName}:{key}");
                target.Tls.KeyOf = key => target.KeyOf($"Tls:{key}");
            });
    }

    /// <summary>The section of a bus, or of HttpClients without a bus; null for none.</summary>
    public static IConfigurationSection? Of(IServiceProvider provider, string busName) =>
        provider.GetKeyedService<BusSection>(busName) is { } bus ? bus.Section?.GetSection(HttpTransportOptions.TransportName)
        : busName.Length == 0 ? provider.GetService<IConfiguration>()?.GetSection($"ServiceMesh:{HttpTransportOptions.TransportName}")
        : null;

    /// <summary>The changes of services in the section of a bus, or of HttpClients without a bus.</summary>
    public static ServiceChanges ChangesOf(IServiceProvider provider, string busName)
    {
        var factory = provider.GetRequiredService<IOptionsFactory<HttpTransportOptions>>();
        return new(Of(provider, busName), () => factory.Create(busName));
    }

    /// <summary>The full path of a key of a bus.</summary>
    public static string Path(IServiceProvider provider, string busName, string key) =>
        SectionBinding.PathOf(provider.GetKeyedService<BusSection>(busName)?.Section, key);

    private sealed class Added;
}
