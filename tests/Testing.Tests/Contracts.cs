namespace ServiceMesh.Testing.Tests;

internal static class Contracts
{
    public static readonly RequestTopic<string, string> Ask = new("testing.ask");

    public static readonly RequestTopic<string, string> Other = new("testing.other");

    public static readonly SignalTopic<string> News = new("testing.news");

    public static readonly SignalPattern<string> AllNews = new("testing.*");
}
