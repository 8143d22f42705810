namespace ServiceMesh.Testing.Tests;

/// <summary>Turns a hang into a failure.</summary>
internal static class Failsafe
{
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(30);

    public static Task InTime(this Task task) => task.WaitAsync(s_limit);

    public static Task<T> InTime<T>(this Task<T> task) => task.WaitAsync(s_limit);
}
