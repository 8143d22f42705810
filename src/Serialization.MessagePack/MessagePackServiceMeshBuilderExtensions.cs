using System.Diagnostics.CodeAnalysis;
using ServiceMesh;
using ServiceMesh.MessagePack;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Adds MessagePack bodies.</summary>
public static class MessagePackServiceMeshBuilderExtensions
{
    /// <summary>
    /// Makes MessagePack available under the name <c>MessagePack</c>: the bus reads bodies of <c>application/msgpack</c>, and
    /// writes them when the configuration says <c>"Serializer": "MessagePack"</c>.
    /// </summary>
    /// <param name="builder">The bus.</param>
    /// <param name="configure">Changes the settings; null for their defaults. Called once, before this method returns.</param>
    /// <exception cref="ArgumentException">A setting is refused; the message says which and why.</exception>
    /// <exception cref="InvalidOperationException">It was added to this bus before.</exception>
    /// <example>
    /// <code source="samples/Snippets/Serializers.cs" region="add-messagepack" />
    /// </example>
    [RequiresDynamicCode("MessagePack-CSharp emits the code that reads and writes a type at run time.")]
    [RequiresUnreferencedCode("MessagePack-CSharp finds the members of a type by reflection.")]
    public static IServiceMeshBuilder AddMessagePackSerializer(
        this IServiceMeshBuilder builder, Action<MessagePackSerializerSettings>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        if (builder.Services.Any(d => d.IsKeyedService && builder.Name.Equals(d.ServiceKey)
            && d.KeyedImplementationInstance is MessagePackMessageSerializer))
        {
            throw new InvalidOperationException("AddMessagePackSerializer was called twice for one bus. Call it once, with all settings.");
        }

        var settings = new MessagePackSerializerSettings();
        configure?.Invoke(settings);
        return builder.AddSerializer(new MessagePackMessageSerializer(settings));
    }
}
