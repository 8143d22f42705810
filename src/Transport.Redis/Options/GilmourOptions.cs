namespace ServiceMesh.Redis;

/// <summary><c>ServiceMesh:Redis:Gilmour</c>: what only the wire <see cref="RedisWire.Gilmour"/> uses.</summary>
public sealed class GilmourOptions
{
    /// <summary>
    /// Where this node publishes error reports: <c>gilmour.errors</c>, which Go uses, or <c>gilmour.error</c>, which Ruby and its
    /// health monitor use. Subscribers of ServiceMesh hear both. Default: <c>gilmour.errors</c>.
    /// </summary>
    public string ErrorChannel { get; set; } = GilmourNames.ErrorChannels[0];
}
