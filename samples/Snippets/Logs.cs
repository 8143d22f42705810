using Microsoft.Extensions.DependencyInjection;
using ServiceMesh;

namespace Snippets;

public static class Logs
{
    public static IServiceMeshBuilder Publish(IServiceMeshBuilder mesh) => mesh
    #region publish
        .AddServiceMeshLogging();
    #endregion

    public static IServiceMeshBuilder Read(IServiceMeshBuilder mesh) => mesh
    #region read
        .AddHandler(MeshTopics.Logs, (entry, _) =>
            Console.WriteLine($"{entry.Time:HH:mm:ss.fff} {entry.Level} {entry.Node} {entry.TraceId} {entry.Message}"));
    #endregion
}
