namespace ServiceMesh.Links;

/// <summary>
/// Keeps what is written and not yet read by the peer within a bound: after half of it a ping goes along, and when all of it
/// is used up the writing stops until the answer comes. Otherwise a broker would have to keep it for a slow reader, and Redis
/// ends the connection of one for which it keeps too much. Pure; guarded by its owner's lock.
/// </summary>
internal struct Confirmations(int maxBytes)
{
    private long _written;
    private long _confirmed;
    private long _mark;
    private long _ping;
    private bool _isPingWritten;

    /// <summary>True while writing must wait for the answer.</summary>
    public readonly bool MustWait => _isPingWritten && _written - _confirmed >= maxBytes;

    /// <summary>True while a ping has no answer.</summary>
    public readonly bool IsWaiting => _ping != 0;

    /// <summary>So many bytes were written. True when a ping is to follow; then call <see cref="Pinging"/>.</summary>
    public bool Written(int bytes)
    {
        _written += bytes;
        return _ping == 0 && _written - _confirmed >= maxBytes / 2;
    }

    /// <summary>A ping was put in line.</summary>
    public void Pinging(long id) => (_ping, _mark, _isPingWritten) = (id, _written, false);

    /// <summary>The ping has left.</summary>
    public void PingWritten(long id) => _isPingWritten = id == _ping;

    /// <summary>The answer to a ping came. True when it was this one.</summary>
    public bool Confirm(long id)
    {
        if (id == 0 || id != _ping)
        {
            return false;
        }

        (_confirmed, _ping, _isPingWritten) = (_mark, 0, false);
        return true;
    }

    /// <summary>What was written is lost or read: begin again.</summary>
    public void Reset() => (_confirmed, _ping, _isPingWritten) = (_written, 0, false);
}
