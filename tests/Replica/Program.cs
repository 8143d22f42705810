using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using ServiceMesh;
using StackExchange.Redis;

// One member of a group in its own process, which tests start, call and kill. Its settings are arguments, as
// --ServiceMesh:Redis:Configuration HOST:PORT. It counts every request that its handler sees in the hash "handled" of the
// same Redis, and writes its name to the hash "by", so that a test can read both after this process has ended. Then it works
// for --Work TIME and answers with its name. It keeps a negative request until it is cancelled. With --Ask NUMBER it has no
// handler, sends one
// request and prints the answer.
var work = new RequestTopic<int, string>("replica.work");

var app = Host.CreateApplicationBuilder(args);
app.Logging.ClearProviders();
var mesh = app.Services.AddServiceMesh(app.Configuration.GetSection("ServiceMesh")).AddRedisTransport();
var number = app.Configuration.GetValue<int?>("Ask");

// Connected after the bus, because tests check why the bus did not start.
var counting = new TaskCompletionSource<IDatabase>(TaskCreationOptions.RunContinuationsAsynchronously);
if (number is null)
{
    var name = app.Configuration["ServiceMesh:NodeName"]!;
    var time = app.Configuration.GetValue<TimeSpan>("Work");
    mesh.AddHandler(work, async (id, context) =>
    {
        var counts = await counting.Task;
        await Task.WhenAll(counts.HashIncrementAsync("handled", id), counts.HashSetAsync("by", id, name))
            .ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        await Task.Delay(id < 0 ? Timeout.InfiniteTimeSpan : time, context.CancellationToken);
        return name;
    });
}

using var host = app.Build();
try
{
    await host.StartAsync();
}
catch (Exception failure)
{
    Console.WriteLine($"failed: {failure.Message.ReplaceLineEndings(" ")}");
    return 1;
}

if (number is { } toAsk)
{
    Console.WriteLine($"answer: {await host.Services.GetRequiredService<IServiceBus>().RequestAsync(work, toAsk)}");
    await host.StopAsync();
    return 0;
}

using var connection = await ConnectionMultiplexer.ConnectAsync(app.Configuration["ServiceMesh:Redis:Configuration"]!);
counting.SetResult(connection.GetDatabase());
Console.WriteLine("ready");
await host.WaitForShutdownAsync();
return 0;
