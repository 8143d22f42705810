namespace ServiceMesh.Redis.Tests;

/// <summary>
/// What Go v4.1 and Ruby processes put on the wire, byte for byte. Where the recording has a gap there is a stand-in: the time of Go's
/// reports, the outer sender of Ruby's, and the rest of Ruby's queue entry behind its topic.
/// </summary>
internal static class RealBytes
{
    /// <summary>Go published it for a reply of 418 "teapot".</summary>
    public const string GoReply =
        """{"topic":"{\"data\":\"teapot\",\"code\":418,\"sender\":\"gilmour.response.node-1.1\"}","request_""" +
        """data":"","user_data":"gilmour.response.node-1.1","sender":"gilmour.response.node-1.1","multi_process":""" +
        """false,"timestamp":"2026-11-28T00:43:29Z","backtrace":"","code":418}""";

    /// <summary>Go published it for a slot that ran out of time.</summary>
    public const string GoSlot =
        """{"topic":"7","request_data":"","user_data":"node-1.1","sender":"gilmour.slot.event.slow","multi_process":""" +
        """false,"timestamp":"2026-11-28T00:43:29Z","backtrace":"","code":499}""";

    /// <summary>Ruby published it for a reply of 418 "teapot".</summary>
    public const string RubyPublished =
        """{"data":{"backtrace":"teapot","code":418,"topic":"gilmour.request.r.fail","request_data":""" +
        """{"q":1},"userdata":"{}","sender":"node-1.1","multi_process":""" +
        """false,"timestamp":"2026-11-28 00:43:29 UTC"},"code":0,"sender":"node-1.1"}""";

    /// <summary>Ruby queued it: the text of a hash of Ruby.</summary>
    public const string RubyQueued = """{:backtrace=>{"why"=>"x"}, :code=>422, :topic=>"gilmour.request.r.failobj"}""";
}
