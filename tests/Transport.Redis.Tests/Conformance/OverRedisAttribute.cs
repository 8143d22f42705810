using ServiceMesh.Conformance;
using ServiceMesh.Support;

namespace ServiceMesh.Redis.Tests;

/// <summary>
/// Over each of the Redis networks. The deployments, which differ in what surrounds the messages, run all themes in a long run only, and
/// the main ones always.
/// </summary>
/// <param name="everywhere">True for a main theme.</param>
public sealed class OverRedisAttribute(bool everywhere = false) : OverNetworksAttribute([.. Wires, .. Deployments(everywhere)])
{
    private static readonly Type[] s_deployments =
        [typeof(SealedFactory), typeof(GarnetFactory), typeof(SentinelFactory), typeof(DocumentedUserFactory)];

    private static Type[] Wires =>
        [typeof(NativeFactory), typeof(NativeWithMessagePackFactory), typeof(GilmourFactory), typeof(ClusterFactory)];

    private static Type[] Deployments(bool everywhere) => everywhere || TestLength.IsLong ? s_deployments : [];
}
