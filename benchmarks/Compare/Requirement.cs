namespace ServiceMesh.Benchmarks;

/// <summary>What a contestant needs on the machine besides .NET.</summary>
/// <param name="Name">What is missing, for the message.</param>
/// <param name="Remedy">How to install it, for the message.</param>
/// <param name="IsMet">Checks whether it is installed.</param>
internal sealed record Requirement(string Name, string Remedy, Func<bool> IsMet)
{
    public static Requirement Redis { get; } = Program("redis-server", "redis-server");

    public static Requirement Nats { get; } = Program("nats-server", "nats-server");

    public static Requirement Node { get; } = Program("node", "nodejs");

    public static Requirement Moleculer { get; } = new(
        "the npm package moleculer", "Run 'npm ci --prefix benchmarks/Compare/Moleculer'.", () => MoleculerEcho.IsInstalled);

    private static Requirement Program(string program, string package) => new(
        program,
        $"Install Debian's package {package}.",
        () => (Environment.GetEnvironmentVariable("PATH") ?? "")
            .Split(Path.PathSeparator)
            .Any(folder => File.Exists(Path.Combine(folder, program))));
}
