using System.Globalization;

namespace ServiceMesh.Transports;

/// <summary>
/// The range of an option, both ends included: a number, or a time written as <c>00:00:00.001</c>. It is checked at start and
/// stands in the documents' table of keys. An option that is null is not checked.
/// </summary>
/// <example>
/// <code>
/// [OptionRange(1, 10)]
/// public int Attempts { get; set; } = 3;
///
/// [OptionRange("00:00:00.001", "1.00:00:00")]
/// public TimeSpan Timeout { get; set; } = TimeSpan.FromSeconds(30);
/// </code>
/// </example>
[AttributeUsage(AttributeTargets.Property)]
public sealed class OptionRangeAttribute : Attribute
{
    private readonly TimeSpan? _minTime;
    private readonly TimeSpan? _maxTime;

    /// <summary>A range of numbers without an upper end.</summary>
    public OptionRangeAttribute(double min) => Min = min.ToString(CultureInfo.InvariantCulture);

    /// <summary>A range of numbers.</summary>
    public OptionRangeAttribute(double min, double max)
        : this(min) => Max = max.ToString(CultureInfo.InvariantCulture);

    /// <summary>A range of times.</summary>
    /// <exception cref="FormatException">One of them is not written as a <see cref="TimeSpan"/> is.</exception>
    public OptionRangeAttribute(string min, string max)
    {
        (Min, Max) = (min, max);
        (_minTime, _maxTime) = (TimeSpan.Parse(min, CultureInfo.InvariantCulture), TimeSpan.Parse(max, CultureInfo.InvariantCulture));
    }

    /// <summary>The least that is allowed, as it is written in configuration.</summary>
    public string Min { get; }

    /// <summary>The most that is allowed, as it is written in configuration; null for a range without an upper end.</summary>
    public string? Max { get; }

    /// <summary>True for a range of times, false for a range of numbers.</summary>
    public bool IsTime => _minTime is not null;

    /// <summary>Whether a value lies in the range.</summary>
    /// <param name="value">A <see cref="TimeSpan"/> or a number. Null is in every range.</param>
    /// <exception cref="InvalidCastException">The value and the range are of different kinds.</exception>
    public bool Contains(object? value) => value switch
    {
        null => true,
        TimeSpan time => Contains(time),
        _ => Contains(Convert.ToDouble(value, CultureInfo.InvariantCulture)),
    };

    /// <summary>Whether a time lies in the range; false for a range of numbers.</summary>
    public bool Contains(TimeSpan time) => time >= _minTime && time <= _maxTime;

    /// <summary>What is wrong with a value that lies outside; null for one that lies in the range.</summary>
    /// <param name="key">The key of the option, with its section.</param>
    /// <param name="value">What it is set to.</param>
    public string? Problem(string key, object? value) => Contains(value)
        ? null
        : FormattableString.Invariant($"{key} is {value}; {Allowed()}.");

    /// <summary>Both ends, <c>1 to 10</c>, or the lower one, <c>at least 1</c>.</summary>
    public override string ToString() => Max is null ? $"at least {Min}" : $"{Min} to {Max}";

    private string Allowed() => IsTime ? $"allowed are {this}, written [days.]hours:minutes:seconds"
        : Max is null ? $"{this} is allowed"
        : $"allowed are {this}";

    // NaN is in no range.
    private bool Contains(double number) => number >= Number(Min) && (Max is null || number <= Number(Max));

    private static double Number(string text) => double.Parse(text, CultureInfo.InvariantCulture);
}
