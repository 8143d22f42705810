using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace ServiceMesh.Http;

/// <summary>
/// <c>file:path</c>: a JSON list of servers, <c>[{ "host": "10.0.0.1", "port": 5080, "weight": 2 }]</c>, read every second. Reading it each
/// time is cheap and notices every change on every file system, also behind a symbolic link.
/// </summary>
internal sealed class FileResolver(AddressGroup group, ResolverContext context) : IResolver
{
    private const int MaxFileBytes = 1 << 20;
    private static readonly TimeSpan s_interval = TimeSpan.FromSeconds(1);

    private readonly string _path = Path.GetFullPath(Path.Combine(context.ContentRoot, group.Target));

    public async IAsyncEnumerable<ResolverResult> WatchAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        while (true)
        {
            yield return await ReadAsync(cancellationToken).ConfigureAwait(false);
            await Task.Delay(s_interval, context.Clock, cancellationToken).ConfigureAwait(false);
        }
    }

    private async Task<ResolverResult> ReadAsync(CancellationToken cancellationToken)
    {
        try
        {
            if (new FileInfo(_path) is { Exists: true, Length: > MaxFileBytes })
            {
                return Failed($"it is larger than {MaxFileBytes} bytes");
            }

            var text = await File.ReadAllBytesAsync(_path, cancellationToken).ConfigureAwait(false);
            var json = text.AsSpan(text.AsSpan().StartsWith(Utf8.ByteOrderMark) ? Utf8.ByteOrderMark.Length : 0);
            var entries = JsonSerializer.Deserialize(json, AddressFileContext.Default.AddressFileEntryArray)
                ?? throw new FormatException("it is not a list");
            return ResolverResult.Found([.. entries.Select(ToAddress)], s_interval);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException or JsonException or FormatException)
        {
            return Failed(failure.Message);
        }
    }

    private static ResolvedAddress ToAddress(AddressFileEntry? entry, int index) =>
        entry?.ToAddress(index) ?? throw new FormatException($"entry {index} is null");

    private ResolverResult Failed(string reason) =>
        ResolverResult.Failed($"The address '{group}' was not resolved: the file {_path} cannot be used: {reason.TrimEnd('.')}.");
}

/// <summary>One server in the file.</summary>
internal sealed class AddressFileEntry
{
    public string Host { get; set; } = "";

    public int Port { get; set; }

    public int Weight { get; set; } = 1;

    public int Priority { get; set; }

    public string? Name { get; set; }

    public bool? Tls { get; set; }

    public string Path { get; set; } = "";

    public ResolvedAddress ToAddress(int index)
    {
        var address = new ResolvedAddress(Host, Port) { Weight = Weight, Priority = Priority, Name = Name, Tls = Tls, Path = Path };
        return address.Problem is { } problem ? throw new FormatException($"in entry {index} {problem}") : address;
    }
}

/// <summary>Reads the file without reflection. An unknown property is an error, because it is probably a mistake.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
    ReadCommentHandling = JsonCommentHandling.Skip,
    AllowTrailingCommas = true)]
[JsonSerializable(typeof(AddressFileEntry[]))]
internal sealed partial class AddressFileContext : JsonSerializerContext;
