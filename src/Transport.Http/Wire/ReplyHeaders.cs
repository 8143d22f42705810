using System.Globalization;

namespace ServiceMesh.Http;

/// <summary>The headers of a reply while they are read, one by one. A mutable value: pass it by reference.</summary>
internal struct ReplyHeaders
{
    private List<(string Name, string Value)>? _own;

    /// <summary>The status of the bus; null if no node sent the response.</summary>
    public int? Status { get; private set; }

    public string? Error { get; private set; }

    public bool NotProcessed { get; private set; }

    public bool IsOfHandler { get; private set; }

    public TimeSpan? RetryAfter { get; private set; }

    /// <summary>The load of the handler; null if the server does not report it.</summary>
    public double? Load { get; private set; }

    /// <summary>The headers of the reply itself; none if they are outside the limits.</summary>
    public readonly Headers Own => _own is not null && Headers.TryRead(_own, out var headers) ? headers : Headers.Empty;

    /// <summary>Whether a header belongs to the reply; all others are between HTTP clients, proxies and servers.</summary>
    public static bool Reads(string name) =>
        MessageWire.Reads(name) || name.Equals("Retry-After", StringComparison.OrdinalIgnoreCase);

    /// <summary>Reads one header.</summary>
    /// <param name="name">The name; case does not matter.</param>
    /// <param name="value">The value.</param>
    /// <param name="clock">The clock that dates are compared with.</param>
    public void Read(string name, string value, TimeProvider clock)
    {
        if (name.Equals(MeshHeader.Status, StringComparison.OrdinalIgnoreCase))
        {
            Status = int.TryParse(value, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var written) ? written : Status;
        }
        else if (name.Equals(MeshHeader.Load, StringComparison.OrdinalIgnoreCase))
        {
            Load = double.TryParse(value, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var load) ? load : Load;
        }
        else if (name.Equals(MeshHeader.Error, StringComparison.OrdinalIgnoreCase))
        {
            Error = HeaderText.Decode(value);
        }
        else if (name.Equals(MeshHeader.NotProcessed, StringComparison.OrdinalIgnoreCase))
        {
            NotProcessed = value == "1";
        }
        else if (name.Equals(MeshHeader.OfHandler, StringComparison.OrdinalIgnoreCase))
        {
            IsOfHandler = value == "1";
        }
        else if (name.Equals("Retry-After", StringComparison.OrdinalIgnoreCase))
        {
            RetryAfter = Http.RetryAfter.Read(value, clock);
        }
        else if (MessageWire.TryReadOwn(name, value) is { } header)
        {
            (_own ??= []).Add(header);
        }
    }
}
