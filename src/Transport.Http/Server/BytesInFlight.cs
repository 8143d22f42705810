using System.Runtime.CompilerServices;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http;

namespace ServiceMesh.Http;

/// <summary>
/// Counts the bytes of bodies and answers that a node holds, in all and for each connection, and says when a further body has no room.
/// Thread-safe.
/// </summary>
internal sealed class BytesInFlight(HttpServerOptions options)
{
    // One for each connection, as long as the server keeps the connection.
    private readonly ConditionalWeakTable<object, Account> _connections = [];
    private readonly Account _node = new(options.MaxBytesInFlight);

    /// <summary>The bytes that the node holds now.</summary>
    public long Held => _node.Held;

    /// <summary>Begins an exchange. Dispose it when its answer has been written.</summary>
    public Exchange Begin(HttpContext http)
    {
        object? connection = http.Features.Get<IConnectionLifetimeFeature>();
        return new(_node, connection is null ? null : _connections.GetValue(connection, _ => new(options.MaxBytesPerConnection)));
    }

    /// <summary>What one exchange holds. Not thread-safe: it belongs to one request.</summary>
    internal sealed class Exchange(Account node, Account? connection) : IDisposable
    {
        private long _held;

        /// <summary>
        /// Takes room for bytes of a body. False if the node or the connection has none left; an exchange that is alone always has.
        /// </summary>
        public bool TryTake(int bytes)
        {
            if (!node.TryTake(bytes, _held))
            {
                return false;
            }

            if (connection?.TryTake(bytes, _held) == false)
            {
                node.Take(-bytes);
                return false;
            }

            _held += bytes;
            return true;
        }

        /// <summary>Counts bytes that are there already: those of an answer. A negative number gives bytes back.</summary>
        public void Take(int bytes)
        {
            node.Take(bytes);
            connection?.Take(bytes);
            _held += bytes;
        }

        public void Dispose() => Take(-(int)_held);
    }

    /// <summary>The bytes of the node, or of one connection.</summary>
    internal sealed class Account(int max)
    {
        private long _held;

        public long Held => Interlocked.Read(ref _held);

        public void Take(int bytes) => Interlocked.Add(ref _held, bytes);

        public bool TryTake(int bytes, long ofExchange)
        {
            var held = Interlocked.Add(ref _held, bytes);
            if (held <= max || held == ofExchange + bytes)
            {
                return true;
            }

            Interlocked.Add(ref _held, -bytes);
            return false;
        }
    }
}
