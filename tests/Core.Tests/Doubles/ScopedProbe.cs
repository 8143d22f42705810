using Microsoft.Extensions.DependencyInjection;

namespace ServiceMesh.Core.Tests;

/// <summary>A scoped service that signals its disposal.</summary>
internal sealed class ScopedProbe(TaskCompletionSource disposed, Exception? failure = null) : IAsyncDisposable
{
    private static int s_made;

    public int Number { get; } = Interlocked.Increment(ref s_made);

    public static void AddTo(IServiceCollection services, TaskCompletionSource disposed, Exception? failure = null) =>
        services.AddScoped(_ => new ScopedProbe(disposed, failure));

    public static ScopedProbe From(HandlerContext context) => context.Services.GetRequiredService<ScopedProbe>();

    public ValueTask DisposeAsync()
    {
        disposed.TrySetResult();
        return failure is null ? ValueTask.CompletedTask : ValueTask.FromException(failure);
    }
}
