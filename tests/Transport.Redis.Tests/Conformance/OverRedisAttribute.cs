using ServiceMesh.Conformance;
using ServiceMesh.Support;

namespace ServiceMesh.Redis.Tests;

/// <summary>
/// Over each of the Redis networks. Both wires run all themes. The deployments, which differ in what surrounds the messages, run the main
/// ones, and in a long run all.
/// </summary>
/// <param name="everywhere">True for a main theme.</param>
public sealed class OverRedisAttribute(bool everywhere = false) : OverNetworksAttribute([.. Wires, .. Deployments(everywhere)])
{
    private static Type[] Wires => [typeof(NativeFactory), typeof(GilmourFactory)];

    private static Type[] Deployments(bool everywhere) =>
    [
        .. everywhere || TestLength.IsLong
            ? (Type[])
            [
                typeof(NativeWithMessagePackFactory), typeof(SealedFactory), typeof(DocumentedUserFactory), typeof(SentinelFactory),
                typeof(ClusterFactory), typeof(GarnetFactory),
            ]
            : [],
        .. TestLength.IsLong ? (Type[])[typeof(GilmourOnGarnetFactory), typeof(GilmourBehindSentinelsFactory)] : [],
    ];
}
