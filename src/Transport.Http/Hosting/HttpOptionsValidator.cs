using System.Diagnostics.CodeAnalysis;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace ServiceMesh.Http;

/// <summary>
/// Checks the HTTP section of one bus at start, for those that use it: the bus, when the HTTP transport is the one that runs, and
/// HttpClients.
/// </summary>
internal sealed class HttpOptionsValidator(string busName, IServiceProvider provider) : IValidateOptions<HttpTransportOptions>
{
    public ValidateOptionsResult Validate(string? name, HttpTransportOptions options)
    {
        if (name != busName)
        {
            return ValidateOptionsResult.Skip;
        }

        string[] used = [.. OfBus(options).Concat(OfHttpClients(options)).Distinct()];
        var misread = IsUsed() ? HttpTransportOptions.Schema.Misread(HttpSection.Of(provider, busName)) : [];
        string[] problems = [.. OptionsSchema.Merge(misread, used)];
        return problems.Length == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(problems);
    }

    private bool IsUsed() => IsOfBus(out _) || IsOfHttpClients();

    private bool IsOfBus([NotNullWhen(true)] out ServiceMeshOptions? bus)
    {
        bus = null;
        return provider.GetKeyedService<MeshEndpoints>(busName) is not null
            && OptionRules.IsChosen(provider, busName, HttpTransportOptions.TransportName, out bus);
    }

    private bool IsOfHttpClients() =>
        provider.GetService<IServiceProviderIsKeyedService>()?.IsKeyedService(typeof(ClientServices), busName) == true;

    private IEnumerable<string> OfBus(HttpTransportOptions options) =>
        IsOfBus(out var bus)
            ? HttpOptionsRules.Problems(
                options, new(HttpSection.Path(provider, busName, "Request:Timeout"), bus.Request.Timeout, IsOfBus: true))
            : [];

    private IEnumerable<string> OfHttpClients(HttpTransportOptions options)
    {
        if (!IsOfHttpClients())
        {
            return [];
        }

        var hasBus = provider.GetKeyedService<BusSection>(busName) is not null;
        return !hasBus && busName.Length > 0 && options.Services.Count == 0
            ? [
                $"An HttpClient uses the services of the bus '{busName}', and there is no such bus: " +
                $"call services.AddServiceMesh(\"{busName}\", section), or name the services in code.",
            ]
            // A bus checks the keys of its whole section itself.
            : HttpOptionsRules.Problems(options, null)
                .Concat(hasBus ? [] : HttpTransportOptions.Schema.UnknownKeys(HttpSection.Of(provider, busName)));
    }
}
