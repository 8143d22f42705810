using ServiceMesh;

namespace Greeting;

#region contract
public static class Greetings
{
    public static readonly RequestTopic<string, string> Greet = new("greetings.greet");
}
#endregion
