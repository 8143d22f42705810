using System.Reflection;
using Microsoft.Extensions.Options;
using ServiceMesh;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>The contracts of a node, for a test or a tool.</summary>
public static class ServiceMeshContractsExtensions
{
    /// <summary>
    /// The topics that a bus of this application handles, with the schemas of their types, as an AsyncAPI 3.0 document. The bus need not
    /// run. The schemas are those of JSON, whichever serializer is configured.
    /// </summary>
    /// <param name="services">The services of the host.</param>
    /// <param name="busName">The key of the bus; empty for the one without a key.</param>
    /// <exception cref="InvalidOperationException">There is no such bus.</exception>
    /// <exception cref="OptionsValidationException">An option of the bus is wrong.</exception>
    /// <example>
    /// <code source="samples/Snippets/EvolvingContracts.cs" region="compare" />
    /// </example>
    public static string GetServiceMeshContracts(this IServiceProvider services, string busName = "")
    {
        ArgumentNullException.ThrowIfNull(services);
        ArgumentNullException.ThrowIfNull(busName);
        if (services.GetKeyedService<BusSection>(busName) is null)
        {
            throw new InvalidOperationException(
                busName.Length == 0
                    ? "This application has no bus without a key: call AddServiceMesh(…), or give the key of a bus."
                    : $"This application has no bus with the key '{busName}'.");
        }

        var options = services.GetRequiredService<IOptionsMonitor<ServiceMeshOptions>>().Get(busName);
        var serializers = services.GetKeyedServices<IMessageSerializer>(busName).ToArray();
        var json = serializers.OfType<JsonMessageSerializer>().First();
        var written = Array.Find(serializers, s => s.Name.Equals(options.Serializer, StringComparison.OrdinalIgnoreCase));
        return AsyncApiDocument.Write(
            new NodeIdentity(options.NodeName, busName).Name,
            Assembly.GetEntryAssembly()?.GetName().Version?.ToString(3) ?? "1.0.0",
            (written ?? json).ContentType,
            services.GetKeyedServices<HandlerDefinition>(busName),
            options.Contracts == ContractMatching.Exact ? (JsonMessageSerializer)json.WithExactContracts() : json);
    }
}
