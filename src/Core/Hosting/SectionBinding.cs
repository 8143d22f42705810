using Microsoft.Extensions.Configuration;

namespace ServiceMesh;

/// <summary>Reads a section into options so that what cannot be read is explained. For transport writers.</summary>
public static class SectionBinding
{
    /// <summary>Runs the binder. It names the key and the value; this adds how such a value is written.</summary>
    /// <param name="bind">Calls <c>section.Bind(options)</c>, where the types are known, so that it can be generated.</param>
    /// <param name="enums">The enumerations among the options.</param>
    /// <exception cref="InvalidOperationException">A value cannot be read; the message names the key, the value and what is allowed.</exception>
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
                $"{failure.Message} Times are written [days.]hours:minutes:seconds, as 00:00:30; counts and sizes are whole numbers{string.Concat(choices)}.",
                failure);
        }
    }

    /// <summary>
    /// What to complain about in a section that no bus reads: a sentence for each key that is not among the known ones, with the
    /// nearest that is. A bus checks its own section by itself.
    /// </summary>
    /// <param name="section">The section; null for none.</param>
    /// <param name="known">Its keys, <c>:</c> between levels, <c>*</c> for a name that the user chooses.</param>
    public static IReadOnlyList<string> UnknownKeys(IConfiguration? section, IEnumerable<string> known)
    {
        ArgumentNullException.ThrowIfNull(known);
        return [.. KnownKeys.Unknown(section, known)];
    }
}
