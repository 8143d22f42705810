using System.CommandLine;
using ServiceMesh.Benchmarks;

// Runs before the command line is parsed, so that the parsing is not measured.
if (args is [FirstReply.Command, var fresh, .. var settings])
{
    return await FirstReply.RunProcessAsync(fresh, settings);
}

// dotnet run -c Release --project benchmarks -- compare [--all | --transport inmemory,redis] [--callers 1,16,64,256]
//   [--replicas 1,4,16] [--characters 3] [--seconds 5] [--rounds 5] [--redis HOST:PORT] [--json FILE]
var transport = new Option<string[]>("--transport")
{
    Description = "What to compare, separated by commas: inmemory, redis, nats, http, grpc, or a prefix of the names of contestants "
        + "(redis/bare). The default is all; a contestant whose server is missing is left out.",
    CustomParser = Values.Read(text => Contestant.All.Any(c => c.Name.StartsWith(text, StringComparison.OrdinalIgnoreCase))
        ? text
        : throw new FormatException($"'{text}' is not a contestant. There are: {string.Join(", ", Contestant.All.Select(c => c.Name))}.")),
};
var all = new Option<bool>("--all") { Description = "All contestants: a server that is missing is an error." };
var callers = new Option<int[]>("--callers")
{
    Description = "Numbers of concurrent callers, separated by commas.",
    DefaultValueFactory = _ => [1, 16, 64, 256],
    CustomParser = Values.Read(Values.Positive),
};
var replicas = new Option<int[]>("--replicas")
{
    Description = "Numbers of replicas that answer, separated by commas.",
    DefaultValueFactory = _ => [1, 4, 16],
    CustomParser = Values.Read(Values.Positive),
};
var seconds = new Option<double>("--seconds")
{
    Description = "Seconds for which each contestant is measured for one line of the table.",
    DefaultValueFactory = _ => 5,
    Validators = { Values.IsPositive<double> },
};
var rounds = new Option<int>("--rounds")
{
    Description = "Number of rounds; the medians are printed.",
    DefaultValueFactory = _ => 5,
    Validators = { Values.IsPositive<int> },
};
var characters = new Option<int>("--characters")
{
    Description = "Characters in the text of the record; the body is about 40 bytes longer.",
    DefaultValueFactory = _ => 3,
    Validators = { Values.IsPositive<int> },
};
var redis = new Option<string?>("--redis")
{
    Description = "HOST:PORT of a Redis server. Without it, one is started on a free port and stopped at the end.",
};
var json = new Option<FileInfo?>("--json") { Description = "A file for the table as JSON." };
var compare = new Command("compare", "Compares the bus with its peers and with the lower bound, in turns in one run.")
{
    all, transport, callers, replicas, characters, seconds, rounds, redis, json,
};
compare.Validators.Add(arguments =>
{
    if (arguments.GetValue(all) && arguments.GetResult(transport) is not null)
    {
        arguments.AddError("--all already names every contestant. Leave out --all or --transport.");
    }
});
compare.SetAction(async (arguments, cancellationToken) =>
{
    IReadOnlyList<Row> rows;
    try
    {
        rows = await Comparison.RunAsync(OptionsOf(arguments), Console.Out, cancellationToken);
    }
    catch (MissingServerException missing)
    {
        await Console.Error.WriteLineAsync(missing.Message);
        return 1;
    }

    if (arguments.GetValue(json) is { } file)
    {
        await File.WriteAllTextAsync(file.FullName, Row.ToJson(rows), cancellationToken);
    }

    return 0;

    ComparisonOptions OptionsOf(ParseResult arguments) => new()
    {
        Contestants = arguments.GetResult(transport) is null ? null : arguments.GetValue(transport),
        IsComplete = arguments.GetValue(all),
        Callers = arguments.GetValue(callers)!,
        Replicas = arguments.GetValue(replicas)!,
        Characters = arguments.GetValue(characters),
        Time = TimeSpan.FromSeconds(arguments.GetValue(seconds)),
        Rounds = arguments.GetValue(rounds),
        Redis = arguments.GetValue(redis),
    };
});

// dotnet run -c Release --project benchmarks -- serializers [--milliseconds 100] [--rounds 11]
var milliseconds = new Option<double>("--milliseconds")
{
    Description = "Milliseconds of one measurement.",
    DefaultValueFactory = _ => 100,
};
var turns = new Option<int>("--rounds")
{
    Description = "Number of rounds; the medians are printed.",
    DefaultValueFactory = _ => 11,
};
var serializers = new Command("serializers", "Compares JSON and MessagePack: bytes of a body, time and allocations of writing and reading.")
{
    milliseconds,
    turns,
};
serializers.SetAction((arguments, cancellationToken) => Serializers.RunAsync(
    TimeSpan.FromMilliseconds(arguments.GetValue(milliseconds)), arguments.GetValue(turns), Console.Out, cancellationToken));

// dotnet run -c Release --project benchmarks -- micro [--milliseconds 100] [--filter '*Topic*' and other options of BenchmarkDotNet]
var iteration = new Option<double>("--milliseconds")
{
    Description = "Milliseconds of one iteration.",
    DefaultValueFactory = _ => 100,
    Validators = { Values.IsPositive<double> },
};
var micro = new Command("micro", "Measures single parts with BenchmarkDotNet and takes its arguments: --filter '*Topic*'.") { iteration };
micro.TreatUnmatchedTokensAsErrors = false;
micro.SetAction(arguments => MicroConfig.Run([.. arguments.UnmatchedTokens], arguments.GetValue(iteration)));

// dotnet run -c Release --project benchmarks -- startup [--transport inmemory,http-h1] [--rounds 7] [--redis HOST:PORT]
var started = new Option<string[]>("--transport")
{
    Description = $"The transports, separated by commas: {string.Join(", ", FirstReply.Transports)}.",
    DefaultValueFactory = _ => [.. FirstReply.Transports],
    CustomParser = Values.Read(
        text => FirstReply.Transports.Contains(text)
            ? text
            : throw new FormatException($"'{text}' is not a transport. There are: {string.Join(", ", FirstReply.Transports)}.")),
};
var processes = new Option<int>("--rounds")
{
    Description = "Number of processes of each transport; the medians are printed.",
    DefaultValueFactory = _ => 7,
    Validators = { Values.IsPositive<int> },
};
var startup = new Command("startup", "Measures time and memory of a new process from Main to the first reply.")
{
    started,
    processes,
    redis,
};
startup.SetAction((arguments, cancellationToken) => FirstReply.RunAsync(
    arguments.GetValue(started)!, arguments.GetValue(processes), arguments.GetValue(redis), Console.Out, cancellationToken));

// dotnet run -c Release --project benchmarks -- breaker [--seconds 1]
var time = new Option<double>("--seconds")
{
    Description = "Seconds for which each figure is measured, over all rounds.",
    DefaultValueFactory = _ => 1,
    Validators = { Values.IsPositive<double> },
};
var breaker = new Command("breaker", "Compares the closed circuit breaker with that of Polly: nanoseconds on 1 and 2 threads, and bytes.")
{
    time,
};
breaker.SetAction((arguments, cancellationToken) => Breakers.RunAsync(
    TimeSpan.FromSeconds(arguments.GetValue(time)), Console.Out, cancellationToken));
return await new RootCommand("The benchmarks of ServiceMesh.") { compare, micro, startup, serializers, breaker }.Parse(args).InvokeAsync();
