using System.Globalization;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;
using NUnit.Framework;
using ServiceMesh.Conformance;
using ServiceMesh.Support;
using static ServiceMesh.Http.Tests.HttpNodes;

namespace ServiceMesh.Http.Tests;

/// <summary>Callers that send bodies without an end, or leave answers unread.</summary>
public sealed class BodyLimitTests
{
    private const int Unfinished = 300;

    private static readonly byte[] s_most = new byte[3_900_000 - 1000];

    [TestCase("24", 24)] // the handler has 24 places
    [TestCase("1000", 34)] // 128 MiB of 3.9 MB each, by chunks of 64 KiB
    public async Task Unfinished_bodies_are_bounded_by_the_places_of_the_handler_and_by_bytes(string places, int most)
    {
        var port = FreePort.Next();
        await using var server = await StartAsync(
            mesh => mesh.AddHandler(Ask, (input, _) => input), Listen(port), ("Handler:MaxConcurrency", places), ("Handler:MaxQueued", "0"),
            ("Http:Server:MinBytesPerSecond", "1"));
        var before = GC.GetTotalMemory(forceFullCollection: true);
        var callers = new List<RawCaller>();
        try
        {
            for (var i = 0; i < Unfinished; i++)
            {
                callers.Add(await RawCaller.ConnectAsync(port));
                await SendMostAsync(callers[^1]);
            }

            await Failsafe.UntilAsync(() => callers.Count(c => !c.IsRefused && !c.IsAnswered) <= most);
            var held = GC.GetTotalMemory(forceFullCollection: true) - before;
            var reading = callers.Count(c => !c.IsRefused && !c.IsAnswered);
            Assert.That(reading, Is.GreaterThan(most / 2));
            Assert.That(held, Is.LessThan(180_000_000));
            TestContext.Out.WriteLine($"{reading} bodies are being read; {held / 1e6:0} MB are held.");

            // Requests with small bodies go on.
            await using var caller2 = await StartAsync(null, Service("server", port));
            Assert.That((await caller2.Bus.TryRequestAsync(Ask, "small").InTime()).Status, Is.EqualTo(StatusCode.Ok));
        }
        finally
        {
            callers.ForEach(c => c.Dispose());
        }
    }

    [Test]
    public async Task A_request_with_a_body_without_an_end_is_read_only_where_a_handler_is()
    {
        var port = FreePort.Next();
        await using var server = await StartAsync(mesh => mesh.AddHandler(Ask, (input, _) => input), Listen(port));
        using var caller = await RawCaller.ConnectAsync(port);

        await caller.SendAsync("POST /mesh/v1/request/test.other HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3900000\r\n\r\n");

        Assert.That(await caller.ReadLineAsync(), Does.StartWith("HTTP/1.1 404"));
    }

    [TestCase("FFFFFFFFFFFFFFFF")]
    [TestCase("80000000")]
    [TestCase("7FFFFFFFFFFFFFFFFF")]
    public async Task A_huge_chunk_size_is_refused_without_a_stack_in_the_log(string size)
    {
        var port = FreePort.Next();
        await using var server = await StartAsync(mesh => mesh.AddHandler(Ask, (input, _) => input), Listen(port));

        var answer = await RawCaller.AskAsync(
            port,
            "POST /mesh/v1/request/test.ask HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n" +
            $"{size}\r\n");

        Assert.That(answer, Does.StartWith("HTTP/1.1 400"));
        Assert.That(server.Log.Has(LogLevel.Error, ""), Is.False);
    }

    [Test]
    public async Task A_body_that_arrives_too_slowly_is_refused()
    {
        var clock = new FakeTimeProvider();
        var stream = new Waiting();
        var room = new BytesInFlight(new()).Begin(new Microsoft.AspNetCore.Http.DefaultHttpContext());
        var reading = ArrivingBody.ReadAsync(stream, 100_000, 100_000, room, 1000, clock, null, CancellationToken.None).AsTask();
        stream.Give(2000);
        await stream.HasAskedAsync(2);

        clock.Advance(TimeSpan.FromSeconds(6.9)); // five seconds, and one for each thousand bytes
        Assert.That(reading.IsCompleted, Is.False);
        clock.Advance(TimeSpan.FromSeconds(0.2));

        Assert.That((await reading.InTime()).Fault, Is.EqualTo(BodyFault.TooSlow));
    }

    [Test]
    public void A_node_and_a_connection_have_limits_of_their_own()
    {
        var bytes = new BytesInFlight(new() { MaxBytesInFlight = 300_000, MaxBytesPerConnection = 100_000 });
        var (one, other) = (new Connection(), new Connection());
        using var first = bytes.Begin(one.Http);
        using var second = bytes.Begin(one.Http);
        using var third = bytes.Begin(other.Http);

        Assert.That(first.TryTake(90_000), Is.True);
        Assert.That(second.TryTake(20_000), Is.False, "the connection has none left");
        Assert.That(third.TryTake(200_000), Is.True, "a body that is alone on its connection is admitted");
        Assert.That(second.TryTake(10_001), Is.False);
        first.Take(-90_000);
        Assert.That(second.TryTake(20_000), Is.True);
        third.Dispose();
        second.Dispose();
        first.Dispose();
        Assert.That(bytes.Held, Is.Zero);
    }

    [Test]
    public async Task Answers_that_are_not_read_count_and_keep_further_requests_out()
    {
        var port = FreePort.Next();
        var answer = new string('x', 4_000_000); // more than the buffers of the kernel take
        await using var server = await StartAsync(
            mesh => mesh.AddHandler(Ask, (_, _) => answer), Listen(port), ("Http:Server:MaxBytesInFlight", "12000000"));
        var callers = new List<RawCaller>();
        try
        {
            var request = "POST /mesh/v1/request/test.ask HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\n\"a\"";
            var refused = 0;
            for (var i = 0; i < 20 && refused == 0; i++)
            {
                var caller = await RawCaller.ConnectAsync(port, receiveBuffer: 4096);
                callers.Add(caller);
                await caller.SendAsync(request);
                refused = (await caller.ReadLineAsync())!.StartsWith("HTTP/1.1 429", StringComparison.Ordinal) ? i : 0;
            }

            Assert.That(refused, Is.InRange(2, 19));
        }
        finally
        {
            callers.ForEach(c => c.Dispose());
        }
    }

    [Test]
    public async Task An_answer_that_is_not_read_ends_its_connection()
    {
        var port = FreePort.Next();
        var answer = new string('x', 4_000_000);
        await using var server = await StartAsync(
            mesh => mesh.AddHandler(Ask, (_, _) => answer), Listen(port), ("Http:Server:MinBytesPerSecond", "1000000000"));
        using var caller = await RawCaller.ConnectAsync(port, receiveBuffer: 4096);
        await caller.SendAsync("POST /mesh/v1/request/test.ask HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\n\"a\"");
        Assert.That(await caller.ReadLineAsync(), Does.StartWith("HTTP/1.1 200"));

        // The caller reads on only when the server has given up.
        await Task.Delay(ArrivingBody.Grace + TimeSpan.FromSeconds(2));
        var length = 0;
        while (await caller.ReadLineAsync() is { } line)
        {
            length += line.Length;
        }

        Assert.That(length, Is.LessThan(answer.Length));
    }

    [Test]
    public async Task One_connection_too_many_is_closed()
    {
        var port = FreePort.Next();
        await using var server = await StartAsync(
            mesh => mesh.AddHandler(Ask, (input, _) => input), Listen(port), ("Http:Server:MaxConnections", "2"));
        using var first = await RawCaller.ConnectAsync(port);
        using var second = await RawCaller.ConnectAsync(port);
        using var third = await RawCaller.ConnectAsync(port);
        foreach (var caller in (RawCaller[])[first, second])
        {
            await caller.SendAsync("GET /mesh/v1/health HTTP/1.1\r\nHost: localhost\r\n\r\n");
            Assert.That(await caller.ReadLineAsync(), Does.StartWith("HTTP/1.1 200"));
        }

        Assert.That(await third.ReadLineAsync(), Is.Null);
    }

    // Sends all of a body but its last bytes, unless the server refuses it before.
    private static async Task SendMostAsync(RawCaller caller)
    {
        var length = (s_most.Length + 1000).ToString(CultureInfo.InvariantCulture);
        await caller.SendAsync(
            $"POST /mesh/v1/request/test.ask HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: {length}\r\n\r\n");
        if (await caller.ReadLineAsync() is { } line && !line.Contains("100", StringComparison.Ordinal))
        {
            caller.IsRefused = true;
            return;
        }

        Assert.That(await caller.ReadLineAsync(), Is.Empty);
        try
        {
            await caller.SendAsync(s_most);
        }
        catch (IOException)
        {
            caller.IsRefused = true; // meanwhile, and closed
        }
    }

    private sealed class Connection : Microsoft.AspNetCore.Connections.Features.IConnectionLifetimeFeature
    {
        public Connection()
        {
            Http = new();
            Http.Features.Set<Microsoft.AspNetCore.Connections.Features.IConnectionLifetimeFeature>(this);
        }

        public Microsoft.AspNetCore.Http.DefaultHttpContext Http { get; }

        public CancellationToken ConnectionClosed { get; set; }

        public void Abort()
        {
        }
    }

    /// <summary>Gives bytes when the test says so.</summary>
    private sealed class Waiting : MemoryStream
    {
        private readonly SemaphoreSlim _asked = new(0);
        private TaskCompletionSource<int> _next = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public void Give(int count)
        {
            var now = _next;
            _next = new(TaskCreationOptions.RunContinuationsAsynchronously);
            now.SetResult(count);
        }

        public async Task HasAskedAsync(int times)
        {
            for (var i = 0; i < times; i++)
            {
                await _asked.WaitAsync().InTime();
            }
        }

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            var reading = _next.Task.WaitAsync(cancellationToken);
            _asked.Release();
            return new(reading);
        }
    }
}
