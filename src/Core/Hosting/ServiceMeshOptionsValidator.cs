using Microsoft.Extensions.Options;

namespace ServiceMesh;

/// <summary>Checks the options of one bus at start: ranges, names, and unknown keys in its section.</summary>
internal sealed class ServiceMeshOptionsValidator(
    BusBuilder bus,
    IReadOnlyList<TransportRegistration> transports,
    IReadOnlyList<SectionKeys> parts,
    IReadOnlyList<IMessageSerializer> serializers)
    : IValidateOptions<ServiceMeshOptions>
{
    public ValidateOptionsResult Validate(string? name, ServiceMeshOptions options)
    {
        if (name != bus.Name)
        {
            return ValidateOptionsResult.Skip;
        }

        var section = bus.Configuration;

        string?[] problems =
        [
            OfTransport(options),
            OptionRules.OneOf(
                options.KeyOf("Serializer"),
                options.Serializer,
                [.. serializers.Select(s => s.Name)],
                AdviceOnSerializer(options.Serializer)),
            OptionRules.Defined(options.KeyOf("Contracts"), options.Contracts),
            OptionRules.Defined(options.KeyOf("ErrorPolicy"), options.ErrorPolicy),
            options.Errors.Details is { } details ? OptionRules.Defined(options.KeyOf("Errors:Details"), details) : null,
            options.NodeName is { Length: 0 } ? $"{options.KeyOf("NodeName")} is empty; leave it out to use the program's name." : null,
            .. ServiceMeshOptions.Schema.OutOfRange(options.KeyOf("").TrimEnd(':'), options),
            .. UnknownKeys.In(section, Known()),
            .. bus.Contradictions(options.KeyOf),
        ];
        string[] said = [.. OptionsSchema.Merge(ServiceMeshOptions.Schema.Misread(section), problems.OfType<string>())];
        return said.Length == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(said);
    }

    private IEnumerable<string> Known() =>
    [
        .. ServiceMeshOptions.Schema.Keys,
        .. transports.SelectMany(t => Below(t.Name, t.Keys)),
        .. parts.SelectMany(p => Below(p.Name, p.Keys)),
    ];

    private string? OfTransport(ServiceMeshOptions options)
    {
        string[] added = [.. transports.Select(t => t.Name)];
        return added.Length == 0
                ? "No transport was added to the bus: " +
                    "call AddInMemoryTransport(), AddRedisTransport() or AddHttpTransport() after AddServiceMesh(…)."
            : options.Transport is null
                ? $"{options.KeyOf("Transport")} is missing, and several transports were added: name one of {string.Join(", ", added)}."
            : OptionRules.OneOf(
                options.KeyOf("Transport"),
                options.Transport,
                added,
                "A transport is known once AddRedisTransport(), AddHttpTransport() or the like has been called.");
    }

    private static string AdviceOnSerializer(string name) =>
        UnknownKeys.Nearest(name, ["MessagePack"]) is { } known
            ? $"'{known}' is in the package ServiceMesh.MessagePack: call AddMessagePackSerializer() after AddServiceMesh(…)."
            : "A serializer is known once AddSerializer(…) has been called with it.";

    private static IEnumerable<string> Below(string part, IEnumerable<string> keys) => keys.Select(key => $"{part}:{key}");
}
