using System.Net;

namespace ServiceMesh.Http;

/// <summary>How <see cref="StubResolver"/> asks. Everything that is not set here, the system's <c>resolv.conf</c> says.</summary>
public sealed class StubResolverOptions
{
    /// <summary>The servers to ask in place of the system's. Default: none, the system's are asked.</summary>
    public IReadOnlyList<IPEndPoint> Servers { get; init; } = [];

    /// <summary>The file that says which servers to ask. Default: <c>/etc/resolv.conf</c>.</summary>
    public string ResolvConfPath { get; init; } = "/etc/resolv.conf";

    /// <summary>The clock. Default: the system's.</summary>
    public TimeProvider Clock { get; init; } = TimeProvider.System;
}
