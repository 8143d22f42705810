using Microsoft.Extensions.DependencyInjection;
using ServiceMesh;

namespace Snippets;

public static class Errors
{
    #region drain
    public static async Task PrintAndForgetAsync(IErrorQueue queue, TextWriter output, CancellationToken cancellationToken)
    {
        while (await queue.DrainAsync(max: 100, cancellationToken) is { Count: > 0 } reports)
        {
            foreach (var report in reports)
            {
                await output.WriteLineAsync($"{report.Time:u} {report.Status} {report.Topic} from {report.Sender}: {report.Error}");
            }
        }
    }
    #endregion

    public static IServiceMeshBuilder AddErrorPrinter(this IServiceMeshBuilder mesh, TextWriter output) => mesh
    #region listen
        .AddHandler(MeshTopics.Errors, (report, context) =>
            output.WriteLineAsync($"{report.Time:u} {report.Status} {report.Topic} from {report.Sender}: {report.Error}"));
    #endregion
}
