using Microsoft.Extensions.Configuration;

namespace ServiceMesh.Transports;

/// <summary>Reads a section into options so that what cannot be read is explained, and names its keys as the user wrote them.</summary>
public static class SectionBinding
{
    /// <summary>Runs the binder. It names the key and the value; this adds how such a value is written.</summary>
    /// <param name="bind">Calls <c>section.Bind(options)</c>, where the types are known, so that it can be generated.</param>
    /// <param name="enums">The enumerations among the options.</param>
    /// <exception cref="InvalidOperationException">
    /// A value cannot be read; the message names the key, the value and what is allowed.
    /// </exception>
    public static void Explained(Action bind, params Type[] enums)
    {
        ArgumentNullException.ThrowIfNull(bind);
        ArgumentNullException.ThrowIfNull(enums);
        try
        {
            bind();
        }
        catch (InvalidOperationException failure)
        {
            var choices = enums.Select(type => $"; {type.Name} is one of {string.Join(", ", Enum.GetNames(type))}");
            throw new InvalidOperationException(
                $"{failure.Message} Times are written [days.]hours:minutes:seconds, as 00:00:30; " +
                $"counts and sizes are whole numbers{string.Concat(choices)}.",
                failure);
        }
    }

    /// <summary>
    /// The full path of a key of a bus, for messages: <c>ServiceMesh:Redis:Wire</c>, or below the section that the bus was given.
    /// </summary>
    /// <param name="bus">The section of the bus (<see cref="IServiceMeshBuilder.Configuration"/>); null for a bus without one.</param>
    /// <param name="key">The key within it.</param>
    public static string PathOf(IConfiguration? bus, string key)
    {
        ArgumentNullException.ThrowIfNull(key);
        return bus switch
        {
            null => $"ServiceMesh:{key}",
            IConfigurationSection section => $"{section.Path}:{key}",
            _ => key,
        };
    }
}
