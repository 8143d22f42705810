using System.Diagnostics;
using System.Net;
using System.Net.Http.Json;
using NUnit.Framework;
using ServiceMesh.Http;
using ServiceMesh.Support;

namespace ServiceMesh.Faults.Tests;

/// <summary>
/// An upload and a download of 1 GiB through an HttpClient of ServiceMesh arrive byte for byte and take a few megabytes of memory.
/// Client and server are in this process, so both are measured.
/// </summary>
[CancelAfter(120_000)]
public sealed class StreamingTests
{
    private const long Gibibyte = 1L << 30;
    private const long MaxMegabytes = 48;

    [Test]
    public async Task An_upload_of_a_gibibyte_takes_constant_memory(CancellationToken cancellationToken)
    {
        await using var server = await FaultServer.StartAsync();
        using var http = Client(server);
        using var request = new HttpRequestMessage(HttpMethod.Post, "http://weather/upload")
        {
            Content = new StreamContent(new PatternStream(Gibibyte)),
        };
        using var memory = new MemoryPeak();

        using var response = await http.SendAsync(request.SetTotalTimeout(TimeSpan.FromMinutes(2)), cancellationToken);
        var answer = await response.Content.ReadFromJsonAsync<FaultServerAnswer>(cancellationToken);

        Assert.That((answer!.Length, answer.IsPattern, server.Executions), Is.EqualTo((Gibibyte, true, 1)));
        Assert.That(memory.Megabytes, Is.LessThan(MaxMegabytes));
    }

    [Test]
    public async Task A_download_of_a_gibibyte_takes_constant_memory(CancellationToken cancellationToken)
    {
        await using var server = await FaultServer.StartAsync();
        using var http = Client(server);
        using var memory = new MemoryPeak();

        using var response = await http.GetAsync(
            new Uri($"http://weather/bytes/{Gibibyte}"), HttpCompletionOption.ResponseHeadersRead, cancellationToken);
        var (length, isPattern) = await ReadAsync(await response.Content.ReadAsStreamAsync(cancellationToken), cancellationToken);

        Assert.That((response.StatusCode, length, isPattern, server.Executions), Is.EqualTo((HttpStatusCode.OK, Gibibyte, true, 1)));
        Assert.That(memory.Megabytes, Is.LessThan(MaxMegabytes));
    }

    private static HttpClient Client(FaultServer server) =>
        new(new ServiceMeshHandler(new() { Services = { ["weather"] = new() { Address = $"http://{server.Address}" } } }))
        {
            Timeout = Timeout.InfiniteTimeSpan,
        };

    private static async Task<(long Length, bool IsPattern)> ReadAsync(Stream stream, CancellationToken cancellationToken)
    {
        var buffer = new byte[64 * 1024];
        var (length, isPattern) = (0L, true);
        int read;
        while ((read = await stream.ReadAsync(buffer, cancellationToken)) > 0)
        {
            isPattern = isPattern && BytePattern.Matches(buffer.AsSpan(0, read), length);
            length += read;
        }

        return (length, isPattern);
    }

    // The peak of the memory of the process above its value at the beginning, sampled every 5 ms.
    private sealed class MemoryPeak : IDisposable
    {
        private readonly long _before;
        private readonly Timer _timer;
        private long _peak;

        public MemoryPeak()
        {
            GC.Collect();
            _before = Process.GetCurrentProcess().WorkingSet64;
            _timer = new(_ => Sample(), null, 0, 5);
        }

        public long Megabytes
        {
            get
            {
                Sample();
                return Volatile.Read(ref _peak) >> 20;
            }
        }

        public void Dispose() => _timer.Dispose();

        private void Sample()
        {
            var now = Process.GetCurrentProcess().WorkingSet64 - _before;
            if (now > Volatile.Read(ref _peak))
            {
                Volatile.Write(ref _peak, now); // a value that a race loses is nearly as large
            }
        }
    }

    private sealed class PatternStream(long length) : Stream
    {
        private long _at;

        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => throw new NotSupportedException();

        public override long Position
        {
            get => throw new NotSupportedException();
            set => throw new NotSupportedException();
        }

        public override int Read(Span<byte> buffer)
        {
            var read = (int)Math.Min(buffer.Length, length - _at);
            BytePattern.Fill(buffer[..read], _at);
            _at += read;
            return read;
        }

        public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
            new(Read(buffer.Span));

        public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
            Task.FromResult(Read(buffer.AsSpan(offset, count)));

        public override void Flush()
        {
        }

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }
}
