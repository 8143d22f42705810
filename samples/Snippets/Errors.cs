using Microsoft.Extensions.DependencyInjection;
using ServiceMesh;

namespace Snippets;

public static class Errors
{
    #region take
    public static async Task PrintAndRemoveAsync(IErrorQueue queue, TextWriter output, CancellationToken cancellationToken)
    {
        while (await queue.TakeAsync(max: 100, cancellationToken) is { Count: > 0 } reports)
        {
            foreach (var taken in reports)
            {
                var report = taken.Report;
                await output.WriteLineAsync($"{report.Time:u} {report.Status} {report.Topic} from {report.Sender}: {report.Error}");
                await queue.AcknowledgeAsync(taken, cancellationToken); // removed only now
            }
        }
    }
    #endregion

    #region replay
    public static async Task ReplayAsync(IErrorQueue queue, string topic, TextWriter output, CancellationToken cancellationToken)
    {
        var reports = await queue.ReadAsync(max: 1000, cancellationToken);
        foreach (var report in reports.Where(r => r.Topic == topic))
        {
            var result = await queue.ReplayAsync(report.Id, cancellationToken: cancellationToken);
            await output.WriteLineAsync($"{report.MessageId}: {result.Outcome} {result.Status} {result.Detail}");
        }
    }
    #endregion

    public static IServiceMeshBuilder AddErrorPrinter(this IServiceMeshBuilder mesh, TextWriter output) => mesh
    #region listen
        .AddHandler(MeshTopics.Errors, (report, context) =>
            output.WriteLineAsync($"{report.Time:u} {report.Status} {report.Topic} from {report.Sender}: {report.Error}"));
    #endregion
}
