using System.CommandLine.Parsing;
using System.Globalization;
using System.Numerics;

namespace ServiceMesh.Benchmarks;

/// <summary>What options take: several values with commas between, and numbers above zero.</summary>
internal static class Values
{
    /// <summary>Reads each value; the message of a <see cref="FormatException"/> is told to the user.</summary>
    public static Func<ArgumentResult, T[]?> Read<T>(Func<string, T> read) => argument =>
    {
        try
        {
            return [.. argument.Tokens[0].Value.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries).Select(read)];
        }
        catch (FormatException failure)
        {
            argument.AddError(failure.Message);
            return null;
        }
    };

    public static int Positive(string text) => int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number > 0
        ? number
        : throw new FormatException($"'{text}' is no number from 1 on.");

    public static void IsPositive<T>(OptionResult option)
        where T : INumber<T>
    {
        if (option.GetValueOrDefault<T>() is not { } number || !T.IsPositive(number) || T.IsZero(number))
        {
            option.AddError($"{option.Option.Name} must be above zero.");
        }
    }
}
