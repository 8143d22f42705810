using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;

namespace ServiceMesh;

/// <summary>One bus while it is put together: the same for every module of the application that adds to it.</summary>
internal sealed class BusBuilder(IServiceCollection services, string name, IConfiguration? section) : IServiceMeshBuilder
{
    public IServiceCollection Services => services;

    public string Name => name;

    public IConfiguration? Configuration { get; private set; } = section;

    /// <summary>What each call of <c>AddServiceMesh</c> sets in code.</summary>
    public List<Action<ServiceMeshOptions>> InCode { get; } = [];

    /// <summary>The bus of that name, when it has been added.</summary>
    public static BusBuilder? Find(IServiceCollection services, string name) => services
        .Where(d => d.IsKeyedService && d.ServiceType == typeof(BusBuilder) && name.Equals(d.ServiceKey))
        .Select(d => (BusBuilder)d.KeyedImplementationInstance!)
        .FirstOrDefault();

    /// <summary>The transport of that name, when it has been added.</summary>
    public static TransportRegistration? FindTransport(IServiceMeshBuilder builder, string transport) => builder.Services
        .Where(d => d.IsKeyedService && builder.Name.Equals(d.ServiceKey))
        .Select(d => d.KeyedImplementationInstance)
        .OfType<TransportRegistration>()
        .FirstOrDefault(t => t.Name.Equals(transport, StringComparison.OrdinalIgnoreCase));

    /// <summary>Takes the section of a further call.</summary>
    /// <exception cref="InvalidOperationException">It is not the one that the bus has.</exception>
    public void Accept(IConfiguration? another)
    {
        if (another is null || ReferenceEquals(another, Configuration))
        {
            return;
        }

        if (Configuration is null)
        {
            ThrowIfTransportHasRead();
            Configuration = another;
        }
        else if (PathOf(another) != PathOf(Configuration))
        {
            throw new InvalidOperationException(
                $"AddServiceMesh was called for {Title} with {Describe(Configuration)} and with {Describe(another)}. " +
                "Give all calls the same section, or give a second bus a name: AddServiceMesh(\"name\", section).");
        }
        else if (Difference(Configuration, another) is { } key)
        {
            throw new InvalidOperationException(
                $"AddServiceMesh was called for {Title} with {Describe(another)} of two configurations, which differ in '{key}'. " +
                "Give all calls the same section.");
        }
    }

    /// <summary>A sentence for each option that two calls set in code, and set differently.</summary>
    public IEnumerable<string> Contradictions(Func<string, string> keyOf)
    {
        if (InCode.Count < 2)
        {
            yield break;
        }

        var set = new Dictionary<string, object?>();
        var defaults = ServiceMeshOptions.Schema.Values(new ServiceMeshOptions()).ToDictionary(v => v.Key, v => v.Value);
        foreach (var configure in InCode)
        {
            var options = new ServiceMeshOptions();
            configure(options);
            foreach (var (key, value) in ServiceMeshOptions.Schema.Values(options).Where(v => !Equals(v.Value, defaults[v.Key])))
            {
                if (set.TryGetValue(key, out var other) && !Equals(value, other))
                {
                    yield return $"{keyOf(key)} is set to '{other}' by one call of AddServiceMesh and to '{value}' by another. " +
                        "Set it in one place.";
                }

                set[key] = value;
            }
        }
    }

    private string Title => Name.Length == 0 ? "the default bus" : $"the bus '{Name}'";

    private void ThrowIfTransportHasRead()
    {
        if (services.Any(d => d.IsKeyedService && Name.Equals(d.ServiceKey) && d.KeyedImplementationInstance is TransportRegistration))
        {
            throw new InvalidOperationException(
                $"AddServiceMesh was called for {Title} with a section after a transport had been added without it. " +
                "Call it with the section first, or leave the section out.");
        }
    }

    private static string PathOf(IConfiguration configuration) => configuration is IConfigurationSection section ? section.Path : "";

    private static string Describe(IConfiguration configuration) =>
        configuration is IConfigurationSection section ? $"the section '{section.Path}'" : "a whole configuration";

    private static string? Difference(IConfiguration one, IConfiguration other)
    {
        var values = one.AsEnumerable(makePathsRelative: true).ToDictionary(v => v.Key, v => v.Value, StringComparer.OrdinalIgnoreCase);
        foreach (var (key, value) in other.AsEnumerable(makePathsRelative: true))
        {
            if (!values.Remove(key, out var first) || first != value)
            {
                return key;
            }
        }

        return values.Keys.FirstOrDefault();
    }
}
