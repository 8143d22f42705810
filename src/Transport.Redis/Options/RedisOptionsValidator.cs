using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using StackExchange.Redis;

namespace ServiceMesh.Redis;

/// <summary>Checks the options of one bus's Redis transport at start, if that transport runs.</summary>
internal sealed class RedisOptionsValidator(string busName, IConfiguration? bus, IServiceProvider provider)
    : IValidateOptions<RedisTransportOptions>
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
            options.Connect is null ? OfConnectionName(options.ConnectionName) ?? OfConfiguration(options) : null,
            OptionRules.Defined(KeyOf(nameof(options.Wire)), options.Wire),
            OfWire(options, chosen.Serializer),
            OfErrorChannel(options.Gilmour?.ErrorChannel),
            OfKeyPrefix(options.KeyPrefix),
            OfKeys(options),
            .. RedisTransportOptions.Schema.OutOfRange(SectionBinding.PathOf(bus, RedisTransportOptions.TransportName), options),
        ];
        var misread = RedisTransportOptions.Schema.Misread(bus?.GetSection(RedisTransportOptions.TransportName));
        string[] said = [.. OptionsSchema.Merge(misread, problems.OfType<string>())];
        return said.Length == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(said);
    }

    private string KeyOf(string key) => SectionBinding.PathOf(bus, $"{RedisTransportOptions.TransportName}:{key}");

    private string? OfWire(RedisTransportOptions options, string serializer)
    {
        var (wireKey, serializerKey) = (KeyOf(nameof(options.Wire)), SectionBinding.PathOf(bus, "Serializer"));
        return options.Wire != RedisWire.Gilmour || !serializer.Equals("MessagePack", StringComparison.OrdinalIgnoreCase)
            ? null
            : $"{wireKey} is Gilmour, which carries JSON, and {serializerKey} is {serializer}. " +
                $"Set {serializerKey} to Json, or {wireKey} to Native.";
    }

    private string? OfErrorChannel(string? channel) => channel is not null && GilmourNames.ErrorChannels.Contains(channel)
        ? null
        : $"{KeyOf($"{nameof(RedisTransportOptions.Gilmour)}:{nameof(GilmourOptions.ErrorChannel)}")} is '{channel}'; "
            + $"write {GilmourNames.ErrorChannels[0]} for Go or {GilmourNames.ErrorChannels[1]} for Ruby.";

    private string? OfConnectionName(string? name)
    {
        var key = KeyOf(nameof(RedisTransportOptions.ConnectionName));
        return name is null or "" ? null
            : bus?.GetSection(RedisTransportOptions.TransportName)[nameof(RedisTransportOptions.Configuration)] is not null
                ? $"{key} and {KeyOf(nameof(RedisTransportOptions.Configuration))} are both set. Take one of them out."
            : provider.GetService<IConfiguration>()?.GetConnectionString(name) is null or ""
                ? $"{key} is '{name}', and ConnectionStrings:{name} has no value in the application's configuration. "
                    + $"Add that connection string, or fix {key}."
            : null;
    }

    private string? OfKeys(RedisTransportOptions options)
    {
        var key = KeyOf(nameof(options.Keys));
        return options.Keys is { Count: > 0 } && options.Wire == RedisWire.Gilmour
            ? $"{key} is set and {KeyOf(nameof(options.Wire))} is Gilmour, where the other implementations could not read what is sealed. "
                + $"Take the keys out, or set {KeyOf(nameof(options.Wire))} to Native."
            : bus?.GetSection(RedisTransportOptions.TransportName).GetSection(nameof(options.Keys)).Value is { Length: > 0 }
                ? $"{key} is one text; write a list ({key}:0 and so on), the key that seals first."
            : SealKeys.Problem(options.Keys, key);
    }

    private string? OfKeyPrefix(string prefix) =>
        prefix is { Length: > 0 and <= MaxPrefix } && prefix.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.')
            ? null
            : $"{KeyOf(nameof(RedisTransportOptions.KeyPrefix))} is '{prefix}'; " +
                $"allowed are 1 to {MaxPrefix} letters, digits, '-', '_' and '.'.";

    // Never with the value, which may hold a password.
    private string? OfConfiguration(RedisTransportOptions options)
    {
        var configuration = options.Configuration;
        var key = options.ConnectionName is { Length: > 0 } name
            ? $"ConnectionStrings:{name}" : KeyOf(nameof(RedisTransportOptions.Configuration));
        if (HasServerBehindPassword(configuration))
        {
            return $"{key} has a server behind the password, or a password that contains a comma. Write the servers first; "
                + "a password that contains a comma is set in code (RedisTransportOptions.ConfigureClient).";
        }

        try
        {
            var client = ConfigurationOptions.Parse(configuration);
            return client.EndPoints.Count > 0
                ? Separation.Problem(client, options.Wire, key, KeyOf(nameof(options.KeyPrefix)))
                : $"{key} names no server; write host:port, and options behind it, separated by commas.";
        }
        catch (Exception failure) when (failure is ArgumentException or FormatException or OverflowException)
        {
            // Without the client's own words: it quotes what it does not know, which may be a part of a password with a comma.
            return $"{key} cannot be read: it has an option that StackExchange.Redis does not know, or a value of the wrong kind. "
                + "Write host:port,option=value,…; "
                + "a password that contains a comma is set in code (RedisTransportOptions.ConfigureClient).";
        }
    }

    // StackExchange.Redis takes the rest of a password behind a comma for one more server, and its name would be logged.
    private static bool HasServerBehindPassword(string configuration) => configuration.Split(',')
        .SkipWhile(part => !part.TrimStart().StartsWith("password=", StringComparison.OrdinalIgnoreCase))
        .Any(part => part.Trim().Length > 0 && !part.Contains('='));
}
