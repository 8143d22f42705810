using Microsoft.Extensions.Logging;
using NUnit.Framework;
using ServiceMesh.Conformance;
using static ServiceMesh.Http.Tests.HttpNodes;

namespace ServiceMesh.Http.Tests;

public sealed class LastAddressTests
{
    [Test]
    public async Task A_service_that_loses_its_last_address_is_a_warning()
    {
        using var file = new TemporaryFile("""[{ "host": "127.0.0.1", "port": 1 }]""");
        await using var caller = await StartAsync(null, ("Http:Services:weather:Address", $"file:{file.Path}"));
        Assert.That(caller.Log.Has(LogLevel.Warning, "weather has lost"), Is.False);

        await File.WriteAllTextAsync(file.Path, "[]");

        await Failsafe.UntilAsync(() => caller.Log.Has(LogLevel.Warning, "weather has lost its last address: 'file:"));
    }
}
