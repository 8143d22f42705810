using System.Diagnostics;

namespace ServiceMesh.Support;

/// <summary>
/// Ensures that no process started by tests outlives the test run, even when the run is aborted. A shell receives
/// their ids and kills those that are left when its input ends, which happens when the process of the run is gone.
/// </summary>
public static class ChildProcesses
{
    private const string Script =
        """
        trap '' INT TERM HUP
        pids=' '
        while read -r what pid; do
          case $what in
            started) pids="$pids$pid " ;;
            ended) pids="${pids%% $pid *} ${pids#* $pid }" ;;
          esac
        done
        for pid in $pids; do kill -9 "$pid"; done
        """;

    private static readonly Lock s_lock = new();
    private static Process? s_shell;

    /// <summary>Starts a process that is killed at the latest when this one ends.</summary>
    public static Process Start(ProcessStartInfo start)
    {
        lock (s_lock)
        {
            s_shell ??= Process.Start(new ProcessStartInfo("sh", ["-c", Script]) { RedirectStandardInput = true })!;
        }

        var process = Process.Start(start)!;
        Tell("started", process.Id);
        return process;
    }

    /// <summary>Kills it as <c>kill -9</c> does if it still runs, waits until it is gone, and disposes it.</summary>
    public static void End(Process process)
    {
        process.Kill();
        process.WaitForExit();
        Forget(process);
    }

    /// <inheritdoc cref="End"/>
    public static async Task EndAsync(Process process)
    {
        process.Kill();
        await process.WaitForExitAsync();
        Forget(process);
    }

    private static void Forget(Process process)
    {
        Tell("ended", process.Id);
        process.Dispose();
    }

    private static void Tell(string what, int id)
    {
        lock (s_lock)
        {
            s_shell!.StandardInput.WriteLine($"{what} {id}");
            s_shell.StandardInput.Flush();
        }
    }
}
