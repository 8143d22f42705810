using System.Net;
using System.Net.Sockets;

namespace ServiceMesh.Support;

/// <summary>Finds loopback ports for servers.</summary>
public static class FreePort
{
    // Below the ports that the kernel gives to outgoing connections (32768 and up): while a server is down, a client that
    // tries again and again could otherwise be given the server's own port, and be connected to itself.
    private const int First = 12_000;
    private const int Last = 32_000;

    /// <summary>A port on which nobody listens now. Another process may take it first: be ready to ask again.</summary>
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
