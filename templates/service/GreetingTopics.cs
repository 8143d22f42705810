using ServiceMesh;

namespace Contracts;

/// <summary>What the greeting service handles, and what it tells.</summary>
public static class GreetingTopics
{
    public static readonly RequestTopic<string, Greeting> Greet = new("greetings.greet");

    public static readonly SignalTopic<Greeting> Greeted = new("greetings.greeted");
}

public sealed record Greeting(string Name, string Text);
