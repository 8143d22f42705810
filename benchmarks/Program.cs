using System.CommandLine;
using ServiceMesh.Benchmarks;

// dotnet run -c Release --project benchmarks -- compare [--callers 1,64] [--seconds 3] [--rounds 3]
var callers = new Option<string>("--callers")
{
    Description = "Numbers of concurrent callers, with commas between.",
    DefaultValueFactory = _ => "1,64",
};
var seconds = new Option<double>("--seconds") { Description = "How long one measurement takes.", DefaultValueFactory = _ => 3 };
var rounds = new Option<int>("--rounds") { Description = "How often each contestant has its turn; medians are printed.", DefaultValueFactory = _ => 3 };
var compare = new Command("compare", "Contestants in turn, in one run: requests a second, latency, bytes allocated per request.") { callers, seconds, rounds };
compare.SetAction((arguments, cancellationToken) => Comparison.RunAsync(
    [.. arguments.GetValue(callers)!.Split(',').Select(int.Parse)],
    TimeSpan.FromSeconds(arguments.GetValue(seconds)),
    arguments.GetValue(rounds),
    Console.Out,
    cancellationToken));

// dotnet run -c Release --project benchmarks -- serializers [--milliseconds 100] [--rounds 11]
var milliseconds = new Option<double>("--milliseconds") { Description = "How long one measurement takes.", DefaultValueFactory = _ => 100 };
var turns = new Option<int>("--rounds") { Description = "How often each serializer has its turn; medians are printed.", DefaultValueFactory = _ => 11 };
var serializers = new Command("serializers", "JSON and MessagePack in turn: bytes of a body, time and allocations both ways.") { milliseconds, turns };
serializers.SetAction((arguments, cancellationToken) => Serializers.RunAsync(
    TimeSpan.FromMilliseconds(arguments.GetValue(milliseconds)), arguments.GetValue(turns), Console.Out, cancellationToken));

// dotnet run -c Release --project benchmarks -- breaker [--seconds 1]
var time = new Option<double>("--seconds") { Description = "How long each figure is measured, over all rounds.", DefaultValueFactory = _ => 1 };
var breaker = new Command("breaker", "The closed circuit breaker and Polly's own in turn: nanoseconds on one and two threads, bytes per call.") { time };
breaker.SetAction((arguments, cancellationToken) => Breakers.RunAsync(TimeSpan.FromSeconds(arguments.GetValue(time)), Console.Out, cancellationToken));
return await new RootCommand("ServiceMesh, measured.") { compare, serializers, breaker }.Parse(args).InvokeAsync();
