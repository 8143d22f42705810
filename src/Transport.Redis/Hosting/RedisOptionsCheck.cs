using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Options;
using StackExchange.Redis;

namespace ServiceMesh.Redis;

/// <summary>Checks the options of one bus's Redis transport when the bus is made.</summary>
internal sealed class RedisOptionsCheck(string busName, IConfiguration? section, IOptionsMonitor<ServiceMeshOptions> mesh) : IValidateOptions<RedisTransportOptions>
{
    private const int MaxPrefix = 64;

    public ValidateOptionsResult Validate(string? name, RedisTransportOptions options)
    {
        if (name != busName)
        {
            return ValidateOptionsResult.Skip;
        }

        var bus = section is IConfigurationSection { Path: { Length: > 0 } path } ? path : "ServiceMesh";
        var prefix = $"{bus}:Redis";
        var serializer = mesh.Get(busName).Serializer;
        string?[] complaints =
        [
            options.Connect is null ? ComplainAboutConfiguration(options.Configuration, $"{prefix}:Configuration") : null,
            Enum.IsDefined(options.Wire) ? null : $"{prefix}:Wire is {options.Wire}; allowed are {string.Join(", ", Enum.GetNames<RedisWire>())}.",
            options.Wire != RedisWire.Gilmour || !serializer.Equals("MessagePack", StringComparison.OrdinalIgnoreCase)
                ? null
                : $"{prefix}:Wire is Gilmour, which carries JSON, and {bus}:Serializer is {serializer}. Set {bus}:Serializer to Json, or {prefix}:Wire to Native.",
            options.KeyPrefix is { Length: > 0 and <= MaxPrefix } && options.KeyPrefix.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.')
                ? null
                : $"{prefix}:KeyPrefix is '{options.KeyPrefix}'; allowed are 1 to {MaxPrefix} letters, digits, '-', '_' and '.'.",
            options.ConnectTimeout >= TimeSpan.FromMilliseconds(1) && options.ConnectTimeout <= TimeSpan.FromDays(1)
                ? null
                : $"{prefix}:ConnectTimeout is {options.ConnectTimeout}; allowed are 00:00:00.001 to 1.00:00:00, written [days.]hours:minutes:seconds.",
            options.MaxBatchBytes is >= 1024 and <= 16 * 1024 * 1024
                ? null
                : $"{prefix}:MaxBatchBytes is {options.MaxBatchBytes}; allowed are 1024 to 16777216.",
        ];
        string[] said = [.. complaints.OfType<string>()];
        return said.Length == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(said);
    }

    // Never with the value, which may hold a password.
    private static string? ComplainAboutConfiguration(string configuration, string key)
    {
        try
        {
            return ConfigurationOptions.Parse(configuration).EndPoints.Count > 0
                ? null
                : $"{key} names no server; write host:port, and options behind it, separated by commas.";
        }
        catch (Exception failure) when (failure is ArgumentException or FormatException or OverflowException)
        {
            // Without the client's own words: it quotes what it does not know, which may be a part of a password with a comma.
            return $"{key} cannot be read: it has an option that StackExchange.Redis does not know, or a value of the wrong kind. "
                + "Write host:port,option=value,…; a password that contains a comma is set in code (RedisTransportOptions.ConfigureClient).";
        }
    }
}
