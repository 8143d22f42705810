using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace ServiceMesh.Http;

/// <summary>Reads and checks the section for HttpClients, as the transport does for the bus.</summary>
internal sealed class HttpClientOptionsCheck(string busName, IServiceProvider provider) : IValidateOptions<HttpTransportOptions>
{
    /// <summary>
    /// The section <c>Http</c> of the bus, whatever transport that runs; without a bus that of <c>ServiceMesh</c>. Nothing when
    /// the HTTP transport was added to the bus, which reads it itself.
    /// </summary>
    public static void Read(HttpTransportOptions options, IServiceProvider provider, string busName)
    {
        if (provider.GetKeyedService<MeshEndpoints>(busName) is null && SectionOf(provider, busName) is { } section)
        {
            SectionBinding.Explained(() => section.Bind(options));
        }
    }

    public ValidateOptionsResult Validate(string? name, HttpTransportOptions options)
    {
        if (name != busName)
        {
            return ValidateOptionsResult.Skip;
        }

        var hasBus = provider.GetKeyedService<BusSection>(busName) is not null;
        if (!hasBus && busName.Length > 0 && options.Services.Count == 0)
        {
            return ValidateOptionsResult.Fail(
                $"An HttpClient uses the services of the bus '{busName}', and there is no such bus: call services.AddServiceMesh(\"{busName}\", section), or name the services in code.");
        }

        try
        {
            HttpOptionsCheck.Check(options, new(provider.GetServices<ResolverKind>()), new(provider.GetServices<BalancerKind>()));
        }
        catch (InvalidOperationException complaints)
        {
            return ValidateOptionsResult.Fail(complaints.Message);
        }

        // Of a bus's section the bus says so itself.
        var unknown = hasBus ? [] : HttpTransportOptions.Schema.UnknownKeys(SectionOf(provider, busName));
        return unknown.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(unknown);
    }

    private static IConfigurationSection? SectionOf(IServiceProvider provider, string busName) =>
        provider.GetKeyedService<BusSection>(busName) is { } bus ? bus.Section?.GetSection("Http")
        : busName.Length == 0 ? provider.GetService<IConfiguration>()?.GetSection("ServiceMesh:Http")
        : null;
}
