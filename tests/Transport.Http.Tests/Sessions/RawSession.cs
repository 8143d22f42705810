using System.Globalization;
using System.Net;
using ServiceMesh.Links;

namespace ServiceMesh.Http.Tests;

/// <summary>A session by hand, whose caller ends its half at once and hears nothing of what the node asks for.</summary>
internal static class RawSession
{
    /// <summary>Sends requests as frames with the ids 1, 2, … and returns the answers to them, in the order in which they came.</summary>
    public static async Task<List<(long Id, FrameKind Kind, StatusCode Status)>> AskAsync(int port, params Topic[] topics)
    {
        using var http = new HttpClient();
        using var request = Request(port, topics);
        using var response = await http.SendAsync(request);
        response.EnsureSuccessStatusCode();
        return Read(await response.Content.ReadAsByteArrayAsync());
    }

    public static HttpRequestMessage Request(int port, Topic[] topics, HttpContent? content = null)
    {
        var uri = new Uri(string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{port}/mesh/v1/session"));
        return new(HttpMethod.Post, uri)
        {
            Version = HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
            Content = content ?? new ByteArrayContent(Frames(topics)),
        };
    }

    private static byte[] Frames(Topic[] topics)
    {
        using var frames = new FrameBuffer();
        for (var i = 0; i < topics.Length; i++)
        {
            var message = new Message
            {
                Id = new("raw", i + 1),
                Kind = MessageKind.Request,
                Topic = topics[i],
                ContentType = "application/json",
                Body = "\"x\""u8.ToArray(),
            };
            FrameWriter.Message(frames, i + 1, message, "", FrameDeadline.None);
        }

        return [.. FrameWriter.Preamble("raw"), .. frames.Written.Span];
    }

    private static List<(long Id, FrameKind Kind, StatusCode Status)> Read(byte[] bytes)
    {
        var (stream, answers) = (new FrameStream(1024 * 1024), new List<(long, FrameKind, StatusCode)>());
        for (var rest = bytes.AsMemory(); rest.Length > 0;)
        {
            var room = stream.Room();
            var count = Math.Min(room.Length, rest.Length);
            rest[..count].CopyTo(room);
            stream.Filled(count);
            rest = rest[count..];
            if (!stream.TryTakePreamble(out _, out _))
            {
                continue;
            }

            while (stream.TryTake(out var frame, out _) == FrameStatus.Read)
            {
                if (frame.Kind is FrameKind.Reply or FrameKind.Refusal)
                {
                    answers.Add((frame.Id, frame.Kind, frame.Status));
                }
            }
        }

        return answers;
    }
}
