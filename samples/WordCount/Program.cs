using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using ServiceMesh;
using ServiceMesh.Samples;
using ServiceMesh.Samples.WordCount;

// The most frequent words of three, four and five letters, counted by seven services. One process runs all services and
// their client. With --Role and a transport between processes they run in as many processes as you like.
return await SampleApp.RunAsync(args, "WordCount [FILE or URL]    without one: the documents of this repository", Configure, CountAsync,
    address => new RedisServer(address));

static void Configure(HostApplicationBuilder app, Role role)
{
    var mesh = app.Services.AddServiceMesh(app.Configuration.GetSection("ServiceMesh"))
        .AddInMemoryTransport()   // the configuration chooses one of the added transports
        .AddRedisTransport()
        .AddHttpTransport();

    if (role == Role.Client)
    {
        return;
    }

    // The deadline of the request ends a fetch. A server that runs for weeks notices when the address of a name changes.
    app.Services.AddSingleton(new HttpClient(new SocketsHttpHandler { PooledConnectionLifetime = TimeSpan.FromMinutes(5) })
    {
        Timeout = Timeout.InfiniteTimeSpan,
    });
    app.Services.AddSingleton<StopFilterHandler>();   // the other handlers are scoped: one for each message
    mesh.AddHandler<FetchHandler>(Topics.Fetch)
        .AddHandler<WordsHandler>(Topics.Words)
        .AddHandler<StopFilterHandler>(Topics.StopFilter)
        .AddHandler<CountHandler>(Topics.Count)
        .AddPopular(Topics.Popular3, 3)
        .AddPopular(Topics.Popular4, 4)
        .AddPopular(Topics.Popular5, 5)
        .AddHandler(Topics.Log, (line, _) => Console.Error.WriteLine(line));
}

static async Task CountAsync(IServiceBus bus, string? source, CancellationToken cancellationToken)
{
    // Paths are made absolute here: the service that reads the file may run in another directory.
    var lines = source switch
    {
        null => await bus.ExecuteAsync(PopularWords.OfAll(RepositoryDocuments.Find()), Unit.Value, cancellationToken),
        _ when FetchHandler.IsUrl(source) => await bus.ExecuteAsync(PopularWords.OfSource, source, cancellationToken),
        _ => await bus.ExecuteAsync(PopularWords.OfSource, Path.GetFullPath(source), cancellationToken),
    };
    foreach (var line in lines)
    {
        Console.WriteLine(line);
    }
}
