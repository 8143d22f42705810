using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text;

namespace ServiceMesh.Http.Tests;

/// <summary>The kinds of request whose bytes are compared. Each is made anew for each client, with a URI below the given one.</summary>
internal static class RequestKinds
{
    /// <summary>Each kind by its name.</summary>
    public static readonly IReadOnlyDictionary<string, Func<string, HttpRequestMessage>> All = Methods()
        .Concat(Uris()).Concat(Headers()).Concat(Bodies()).Concat(Versions())
        .ToDictionary(k => k.Name, k => k.Make, StringComparer.Ordinal);

    private static IEnumerable<(string Name, Func<string, HttpRequestMessage> Make)> Methods()
    {
        foreach (var method in new[] { "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "QUERY" })
        {
            yield return ($"{method} without a body", uri => new(new(method), $"{uri}/orders/1"));
        }

        foreach (var method in new[] { "GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "QUERY" })
        {
            yield return ($"{method} with a body", uri => new(new(method), $"{uri}/orders/1") { Content = new StringContent("body") });
        }

        yield return ("a method in lower case", uri => new(new("get"), $"{uri}/orders/1"));
    }

    private static IEnumerable<(string Name, Func<string, HttpRequestMessage> Make)> Uris()
    {
        foreach (var (name, path) in new[]
        {
            ("no path", ""), ("a root", "/"), ("a query without a path", "?a=1"), ("an empty query", "/a?"), ("a fragment", "/a#b"),
            ("dot segments", "/a/./b/../c"), ("an encoded slash", "/a%2Fb"), ("encoded dots", "/a/%2E%2E/b"), ("a space", "/a b?c d"),
            ("an encoded space and a plus", "/a%20b+c?d+e%20f"), ("letters that are not ASCII", "/grün/中文?ü=ß"),
            ("unreserved letters that are encoded", "/%7Euser/%41"), ("lower-case encodings", "/a%c3%bc"), ("a percent alone", "/100%/x"),
            ("doubled slashes", "//a//b/"), ("reserved letters", "/a;b=c,d/(e)!*'?x=[1]&y={2}|\\^`\"<>"), ("a backslash", "/a\\b"),
            ("a URI within the query", "/r?to=http://example.org/?a=b&c=d"), ("an encoded percent", "/a%2525"),
            ("a null that is encoded", "/a%00b"), ("4,000 letters", "/" + new string('a', 4000)),
        })
        {
            yield return ($"URI with {name}", uri => new(HttpMethod.Get, $"{uri}{path}"));
        }

        var asWritten = new UriCreationOptions { DangerousDisablePathAndQueryCanonicalization = true };
        yield return ("URI that is sent as it is written", uri => new(
            HttpMethod.Get, new Uri($"{uri}/%7Ea/./b/../c%2fd?x=%41", asWritten)));
    }

    private static IEnumerable<(string Name, Func<string, HttpRequestMessage> Make)> Headers()
    {
        foreach (var (name, header, values) in new (string, string, string[])[]
        {
            ("a header", "x-own", ["a"]), ("an empty header", "x-own", [""]), ("a header twice", "x-own", ["a", "b"]),
            ("a header with commas", "x-own", ["a,b", " c"]), ("Accept thrice", "Accept", ["text/html", "*/*;q=0.1", "not a type"]),
            ("User-Agent in parts", "User-Agent", ["a/1", "(b; c)", "d/2"]), ("Cookie", "Cookie", ["a=1; b=2"]),
            ("cookies in two values", "Cookie", ["a=1", "b=2"]), ("Authorization", "Authorization", ["Bearer abc"]),
            ("Range", "Range", ["bytes=0-10,20-"]),
            ("If-None-Match", "If-None-Match", ["\"a\", W/\"b\""]),
            ("Accept-Encoding", "Accept-Encoding", ["gzip, br;q=0.5"]), ("TE", "TE", ["trailers"]),
            ("Connection: close", "Connection", ["close"]),
            ("an upgrade", "Connection", ["Upgrade"]), ("Expect without a body", "Expect", ["100-continue"]),
            ("an own Host", "Host", ["example.org:8443"]), ("a header of 8,000 letters", "x-own", [new('a', 8000)]),
            ("an own trace", "traceparent", ["00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"]),
            ("Via", "Via", ["1.1 a", "1.1 b"]),
            ("a date that is none", "If-Modified-Since", ["yesterday"]), ("Forwarded", "Forwarded", ["for=\"[::1]\";proto=https"]),
            ("Referer", "Referer", ["http://example.org/a b"]), ("a name in odd case", "X-oWN-heADER", ["a"]),
        })
        {
            yield return ($"header: {name}", uri =>
            {
                var request = new HttpRequestMessage(HttpMethod.Get, $"{uri}/a");
                request.Headers.TryAddWithoutValidation(header, values);
                return request;
            }
            );
        }

        yield return ("header: an own Host after others", uri => new(HttpMethod.Get, $"{uri}/a")
        {
            Headers = { { "x-first", "1" }, { "Host", "example.org" }, { "x-last", "2" } },
        });
        yield return ("header: the upgrade to a WebSocket", uri => new(HttpMethod.Get, $"{uri}/a")
        {
            Headers = { { "Connection", "Upgrade" }, { "Upgrade", "websocket" }, { "Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAAAA==" } },
        });
    }

    private static IEnumerable<(string Name, Func<string, HttpRequestMessage> Make)> Bodies()
    {
        foreach (var (name, make) in new (string, Func<HttpContent>)[]
        {
            ("no bytes", () => new ByteArrayContent([])), ("bytes", () => new ByteArrayContent([0, 255, 13, 10])),
            ("a text", () => new StringContent("grün", Encoding.UTF8, "text/plain")), ("JSON", () => JsonContent.Create(new { a = 1 })),
            ("a form", () => new FormUrlEncodedContent([new("a", "b c"), new("d", "ü")])),
            ("a stream with a length", () => new StreamContent(new MemoryStream("a stream"u8.ToArray()))),
            ("a stream without a length", () => new Parts("one", "two", "three")), ("an empty stream without a length", () => new Parts()),
            ("100,000 bytes", () => new ByteArrayContent(new byte[100_000])),
            ("multipart", () => new MultipartFormDataContent("boundary") { { new StringContent("a"), "name", "file.txt" } }),
            ("read-only memory", () => new ReadOnlyMemoryContent("memory"u8.ToArray())),
        })
        {
            yield return ($"body: {name}", uri => new(HttpMethod.Post, $"{uri}/a") { Content = make() });
            yield return ($"body: {name}, with a key", uri => new(HttpMethod.Post, $"{uri}/a")
            {
                Content = make(),
                Headers = { { "Idempotency-Key", "1" } },
            });
        }

        yield return ("body: Expect", uri => new(HttpMethod.Post, $"{uri}/a")
        {
            Content = new StringContent("a"),
            Headers = { ExpectContinue = true },
        });
        yield return ("body: chunked by the header", uri => new(HttpMethod.Post, $"{uri}/a")
        {
            Content = new StringContent("a"),
            Headers = { TransferEncodingChunked = true },
        });
        yield return ("body: its own headers", uri => new(HttpMethod.Put, $"{uri}/a")
        {
            Content = new ByteArrayContent([1])
            {
                Headers =
                {
                    { "Content-Encoding", "gzip" }, { "Content-Language", "de, en" }, { "x-content", "1" }, { "Content-MD5", "AA==" },
                    { "Content-Disposition", "attachment; filename=\"a b\"" },
                },
            },
        });
        yield return ("body: its length before its type", uri =>
        {
            var content = new ByteArrayContent([1, 2]) { Headers = { ContentLength = 2 } };
            content.Headers.ContentType = new MediaTypeHeaderValue("application/x-own");
            return new(HttpMethod.Put, $"{uri}/a") { Content = content };
        }
        );
        yield return ("body: headers of both kinds", uri => new(HttpMethod.Put, $"{uri}/a")
        {
            Content = new StringContent("a"),
            Headers = { { "x-own", "1" }, { "Trailer", "x-sum" } },
        });
    }

    private static IEnumerable<(string Name, Func<string, HttpRequestMessage> Make)> Versions()
    {
        foreach (var version in new[] { HttpVersion.Version10, HttpVersion.Version11, HttpVersion.Version20, HttpVersion.Version30 })
        {
            yield return ($"version {version} or lower", uri => new(HttpMethod.Get, $"{uri}/a")
            {
                Version = version,
                VersionPolicy = HttpVersionPolicy.RequestVersionOrLower,
            });
        }

        yield return ("version 1.0 with a body", uri => new(HttpMethod.Post, $"{uri}/a")
        {
            Version = HttpVersion.Version10,
            Content = new StringContent("a"),
        });
        yield return ("version 1.1 exactly", uri => new(HttpMethod.Get, $"{uri}/a")
        {
            Version = HttpVersion.Version11,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
        });
        yield return ("version 1.1 or higher", uri => new(HttpMethod.Get, $"{uri}/a")
        {
            Version = HttpVersion.Version11,
            VersionPolicy = HttpVersionPolicy.RequestVersionOrHigher,
        });
    }

    // Content of the application that is written in parts and does not know its length.
    private sealed class Parts(params string[] parts) : HttpContent
    {
        protected override async Task SerializeToStreamAsync(Stream stream, System.Net.TransportContext? context)
        {
            foreach (var part in parts)
            {
                await stream.WriteAsync(Encoding.UTF8.GetBytes(part));
            }
        }

        protected override bool TryComputeLength(out long length)
        {
            length = 0;
            return false;
        }
    }
}
