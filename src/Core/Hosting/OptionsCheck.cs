using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Options;

namespace ServiceMesh;

/// <summary>Checks the options of one bus at start: ranges, names, and keys that nobody knows.</summary>
internal sealed class OptionsCheck(
    string busName, IConfiguration? section, IReadOnlyList<TransportRegistration> transports, IReadOnlyList<SectionKeys> sections, IReadOnlyList<IMessageSerializer> serializers)
    : IValidateOptions<ServiceMeshOptions>
{
    public ValidateOptionsResult Validate(string? name, ServiceMeshOptions options)
    {
        if (name != busName)
        {
            return ValidateOptionsResult.Skip;
        }

        var prefix = section is IConfigurationSection { Path: { Length: > 0 } path } ? path : "ServiceMesh";
        string?[] complaints =
        [
            transports.Count == 0
                ? "No transport was added to the bus: call AddInMemoryTransport(), AddRedisTransport() or AddHttpTransport() after AddServiceMesh(…)."
                : Choice($"{prefix}:Transport", options.Transport, [.. transports.Select(t => t.Name)], "A transport is known once AddRedisTransport(), AddHttpTransport() or the like has been called."),
            Choice($"{prefix}:Serializer", options.Serializer, [.. serializers.Select(s => s.Name)], AdviceOnSerializer(options.Serializer)),
            Enum.IsDefined(options.ErrorPolicy) ? null : $"{prefix}:ErrorPolicy is {options.ErrorPolicy}; allowed are {string.Join(", ", Enum.GetNames<ErrorPolicy>())}.",
            options.NodeName is { Length: 0 } ? $"{prefix}:NodeName is empty; leave it out to use the program's name." : null,
            Limits.TimeOrZero.Complain(options.DrainTimeout, $"{prefix}:DrainTimeout"),
            Limits.Time.Complain(options.Request.Timeout, $"{prefix}:Request:Timeout"),
            Limits.Body.Complain(options.Request.MaxBodyBytes, $"{prefix}:Request:MaxBodyBytes"),
            Limits.Time.Complain(options.Handler.Timeout, $"{prefix}:Handler:Timeout"),
            Limits.Concurrency.Complain(options.Handler.MaxConcurrency, $"{prefix}:Handler:MaxConcurrency"),
            Limits.Queued.Complain(options.Handler.MaxQueued, $"{prefix}:Handler:MaxQueued"),
            Limits.Data.Complain(options.Errors.MaxDataBytes, $"{prefix}:Errors:MaxDataBytes"),
            Limits.Concurrency.Complain(options.Errors.QueueCapacity, $"{prefix}:Errors:QueueCapacity"),
            .. KnownKeys.Unknown(section, [.. transports.Select(t => new SectionKeys(t.Name, t.Keys)), .. sections]),
        ];
        string[] said = [.. complaints.OfType<string>()];
        return said.Length == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(said);
    }

    private static string AdviceOnSerializer(string name) =>
        KnownKeys.Nearest(name, ["MessagePack"]) is { } known
            ? $"'{known}' is in the package ServiceMesh.MessagePack: call AddMessagePackSerializer() after AddServiceMesh(…)."
            : "A serializer is known once AddSerializer(…) has been called with it.";

    private static string? Choice(string key, string value, string[] allowed, string advice) =>
        allowed.Contains(value, StringComparer.OrdinalIgnoreCase)
            ? null
            : $"{key} is '{value}'; allowed here are: {string.Join(", ", allowed)}." +
              (KnownKeys.Nearest(value, allowed) is { } near ? $" Did you mean '{near}'?" : $" {advice}");
}
