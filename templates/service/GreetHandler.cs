using Contracts;
using ServiceMesh;

namespace Mesh.Service1;

/// <summary>Answers with a greeting, and tells that it did.</summary>
public sealed class GreetHandler : IRequestHandler<string, Greeting>
{
    public async Task<Greeting> HandleAsync(string request, HandlerContext context)
    {
        if (request.Length > 100)
        {
            throw new ReplyException(StatusCode.BadRequest, "A name has at most 100 characters.");
        }

        var greeting = new Greeting(request, $"Hello, {request}!");
        await context.Bus.SignalAsync(GreetingTopics.Greeted, greeting, context.CancellationToken);
        return greeting;
    }
}
