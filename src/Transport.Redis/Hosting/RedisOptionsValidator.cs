using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Options;
using StackExchange.Redis;

namespace ServiceMesh.Redis;

/// <summary>Checks the options of one bus's Redis transport at start, if that transport runs.</summary>
internal sealed class RedisOptionsValidator(string busName, IConfiguration? bus, IServiceProvider provider) : IValidateOptions<RedisTransportOptions>
{
    private const int MaxPrefix = 64;

    public ValidateOptionsResult Validate(string? name, RedisTransportOptions options)
    {
        if (name != busName || !OptionRules.IsChosen(provider, busName, RedisTransportOptions.TransportName, out var chosen))
        {
            return ValidateOptionsResult.Skip;
        }

        string?[] problems =
        [
            options.Connect is null ? OfConfiguration(options.Configuration) : null,
            OptionRules.Defined(KeyOf(nameof(options.Wire)), options.Wire),
            options.Wire != RedisWire.Gilmour || !chosen.Serializer.Equals("MessagePack", StringComparison.OrdinalIgnoreCase)
                ? null
                : $"{KeyOf(nameof(options.Wire))} is Gilmour, which carries JSON, and {SectionBinding.PathOf(bus, "Serializer")} is {chosen.Serializer}. " +
                  $"Set {SectionBinding.PathOf(bus, "Serializer")} to Json, or {KeyOf(nameof(options.Wire))} to Native.",
            options.KeyPrefix is { Length: > 0 and <= MaxPrefix } && options.KeyPrefix.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.')
                ? null
                : $"{KeyOf(nameof(options.KeyPrefix))} is '{options.KeyPrefix}'; allowed are 1 to {MaxPrefix} letters, digits, '-', '_' and '.'.",
            .. RedisTransportOptions.Schema.OutOfRange(SectionBinding.PathOf(bus, RedisTransportOptions.TransportName), options),
        ];
        string[] said = [.. problems.OfType<string>()];
        return said.Length == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(said);
    }

    private string KeyOf(string key) => SectionBinding.PathOf(bus, $"{RedisTransportOptions.TransportName}:{key}");

    // Never with the value, which may hold a password.
    private string? OfConfiguration(string configuration)
    {
        var key = KeyOf(nameof(RedisTransportOptions.Configuration));
        try
        {
            return ConfigurationOptions.Parse(configuration).EndPoints.Count > 0
                ? null
                : $"{key} names no server; write host:port, and options behind it, separated by commas.";
        }
        catch (Exception failure) when (failure is ArgumentException or FormatException or OverflowException)
        {
            return $"{key} cannot be read: {failure.Message} Write host:port,option=value,… as StackExchange.Redis does.";
        }
    }
}
