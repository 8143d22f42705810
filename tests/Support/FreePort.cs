using System.Net;
using System.Net.Sockets;

namespace ServiceMesh.Support;

/// <summary>Finds loopback ports for servers.</summary>
public static class FreePort
{
    // Below the ports that the kernel gives to outgoing connections (32768 and up): while a server is down, a client that
    // keeps reconnecting could otherwise get the server's port for itself and be connected to itself.
    private const int First = 12_000;
    private const int Last = 32_000;

    // A port stays free until its server starts. One that was given away is not given away again before so many others.
    private const int Kept = 5_000;

    private static readonly Lock s_lock = new();
    private static readonly Queue<int> s_order = new();
    private static readonly HashSet<int> s_given = [];

    /// <summary>A port that is free now, and no other one's in this process. Another process may take it first.</summary>
    public static int Next()
    {
        while (true)
        {
            var port = Random.Shared.Next(First, Last);
            if (!TryGive(port))
            {
                continue;
            }

            try
            {
                using var listener = new TcpListener(IPAddress.Loopback, port);
                listener.Start();
                return port;
            }
            catch (SocketException)
            {
                // Taken.
            }
        }
    }

    private static bool TryGive(int port)
    {
        lock (s_lock)
        {
            if (!s_given.Add(port))
            {
                return false;
            }

            s_order.Enqueue(port);
            if (s_order.Count > Kept)
            {
                s_given.Remove(s_order.Dequeue());
            }

            return true;
        }
    }
}
