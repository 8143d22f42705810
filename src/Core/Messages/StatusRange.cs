namespace ServiceMesh;

/// <summary>The numbers that a status may have: what every wire carries.</summary>
internal static class StatusRange
{
    public const int Min = 100;
    public const int FirstFailure = 300;
    public const int Max = 999;

    public static bool Contains(int status) => status is >= Min and <= Max;

    /// <summary>The status, when it is in the range.</summary>
    /// <param name="status">Any number.</param>
    /// <param name="name">What is set to it, for the message.</param>
    /// <exception cref="ArgumentOutOfRangeException">It is outside 100 to 999.</exception>
    public static StatusCode Checked(StatusCode status, string name) => Contains((int)status) ? status : throw Outside(status, Min, name);

    /// <summary>The same for a status of a failure.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is outside 300 to 999.</exception>
    public static StatusCode CheckedFailure(StatusCode status, string name) =>
        (int)status is >= FirstFailure and <= Max ? status : throw Outside(status, FirstFailure, name);

    private static ArgumentOutOfRangeException Outside(StatusCode status, int min, string name) => new(
        name, (int)status, $"The status {(int)status} is outside {min} to {Max}. Choose one of StatusCode, or a number in that range.");
}
