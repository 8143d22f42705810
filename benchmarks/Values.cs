using System.CommandLine.Parsing;
using System.Globalization;
using System.Numerics;

namespace ServiceMesh.Benchmarks;

/// <summary>Parses the values of options: lists separated by commas, and numbers above zero.</summary>
internal static class Values
{
    /// <summary>Reads each value; the user sees the message of a <see cref="FormatException"/>.</summary>
    public static Func<ArgumentResult, T[]?> Read<T>(Func<string, T> read) => argument =>
    {
        try
        {
            return
            [
                .. argument.Tokens[0].Value.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries).Select(read),
            ];
        }
        catch (FormatException failure)
        {
            argument.AddError(failure.Message);
            return null;
        }
    };

    public static int Positive(string text) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number > 0
        ? number
        : throw new FormatException($"'{text}' is not a whole number above zero.");

    public static void IsPositive<T>(OptionResult option)
        where T : INumber<T>
    {
        if (option.GetValueOrDefault<T>() is not { } number || !T.IsPositive(number) || T.IsZero(number))
        {
            option.AddError($"{option.Option.Name} must be above zero.");
        }
    }
}
