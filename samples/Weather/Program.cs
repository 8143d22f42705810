using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using ServiceMesh;
using ServiceMesh.Samples;
using ServiceMesh.Samples.Weather;

// The coldest and warmest hours of a city's winter, from four services that are one line each.
return await SampleApp.RunAsync(args, "Weather [CITY]    without one: pune", Configure, PrintWinterAsync);

static void Configure(HostApplicationBuilder app, Role role)
{
    var mesh = app.Services.AddServiceMesh(app.Configuration.GetSection("ServiceMesh"))
        .AddInMemoryTransport()
        .AddRedisTransport()
        .AddHttpTransport()
        .AddJsonContext(WeatherJson.Default);

    if (role == Role.Client)
    {
        return;
    }

    mesh.AddHandler(Topics.Fetch, (city, _) => Climate.YearOf(city))
        .AddHandler(
            Topics.Group, (readings, _) => readings.GroupBy(r => r.Month).ToDictionary(month => month.Key, month => month.ToArray()))
        .AddHandler(Topics.Min, (readings, _) => readings.MinBy(r => r.Degrees) ?? throw NoReadings())
        .AddHandler(Topics.Max, (readings, _) => readings.MaxBy(r => r.Degrees) ?? throw NoReadings());

    static ReplyException NoReadings() => new(StatusCode.BadRequest, "There are no readings.");
}

static async Task PrintWinterAsync(IServiceBus bus, string? city, CancellationToken cancellationToken)
{
    city ??= "pune";
    var winter = await bus.ExecuteAsync(Extremes.OfWinter, city, cancellationToken);
    Console.WriteLine($"Winter of {city}");
    Console.WriteLine($"{"month",-8}{"coldest",-27}warmest");
    foreach (var month in winter)
    {
        var (coldest, warmest) = (month[0], month[1]);
        Console.WriteLine($"{coldest.Month,-8}{Describe(coldest),-27}{Describe(warmest)}");
    }

    static string Describe(Reading reading) => $"{reading.Degrees,3} C on {reading.Day,2} {reading.Month} {reading.Hour:00}:00";
}
