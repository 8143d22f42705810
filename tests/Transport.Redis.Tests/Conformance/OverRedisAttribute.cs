using ServiceMesh.Conformance;

namespace ServiceMesh.Redis.Tests;

/// <summary>Over each of the Redis networks.</summary>
public sealed class OverRedisAttribute() : OverNetworksAttribute(
    typeof(NativeFactory), typeof(NativeWithMessagePackFactory), typeof(GilmourFactory), typeof(ClusterFactory));
