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
return await new RootCommand("ServiceMesh, measured.") { compare }.Parse(args).InvokeAsync();
