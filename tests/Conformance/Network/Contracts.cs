namespace ServiceMesh.Conformance;

/// <summary>The topics of most tests. Each test has its own network, so tests do not disturb each other.</summary>
internal static class Contracts
{
    public static readonly RequestTopic<string, string> Ask = new("conformance.ask");

    /// <summary>The topic of <see cref="Ask"/>, called with a wrong type of input.</summary>
    public static readonly RequestTopic<int[], string> AskWrongly = new("conformance.ask");

    public static readonly RequestTopic<string, string> Other = new("conformance.other");

    public static readonly SignalTopic<string> News = new("conformance.news");

    /// <summary>A handler that answers with what it was asked.</summary>
    public static string Echo(string input, HandlerContext context) => input;
}
