using System.Net;
using System.Net.Sockets;

namespace ServiceMesh.Http.Tests;

/// <summary>
/// Ports for nodes that must know each other before they start. Below the range from which the system gives ports to
/// outgoing connections, so that none of those takes one meanwhile; no port is given twice in a run.
/// </summary>
internal static class FreePort
{
    private const int Lowest = 10_000;
    private const int Highest = 32_000;
    private static int s_next = Random.Shared.Next(Lowest, Highest);

    public static int[] Take(int count) => [.. Enumerable.Range(0, count).Select(_ => Take())];

    public static int Take()
    {
        while (true)
        {
            var port = Interlocked.Increment(ref s_next);
            if (port > Highest)
            {
                Interlocked.CompareExchange(ref s_next, Lowest, port);
            }
            else if (IsFree(port))
            {
                return port;
            }
        }
    }

    private static bool IsFree(int port)
    {
        try
        {
            using var listener = new TcpListener(IPAddress.Loopback, port);
            listener.Start();
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }
}
