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

    /// <summary>A port that is free now. Another process may take it first: be ready to try another.</summary>
    public static int Next()
    {
        while (true)
        {
            var port = Random.Shared.Next(First, Last);
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
}
