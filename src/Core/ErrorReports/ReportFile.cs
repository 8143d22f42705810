using System.Globalization;

namespace ServiceMesh;

/// <summary>
/// One file of lines that one node owns, by a lock file next to it. Several nodes with one path have one file each:
/// <c>errors.jsonl</c>, <c>errors.2.jsonl</c> and so on; a node takes the first that is free. Files can be read by their owner only
/// (mode 0600). Not thread-safe.
/// </summary>
internal sealed class ReportFile : IDisposable
{
    private const int MaxFiles = 1000;

    // What the lock of another process looks like: EWOULDBLOCK on Linux and macOS, a sharing violation on Windows.
    private static readonly int[] s_locked = [11, 35, unchecked((int)0x80070020)];

    private readonly FileStream _owner;
    private bool _isTorn;

    private ReportFile(string path, FileStream owner) => (Path, _owner) = (path, owner);

    public string Path { get; }

    /// <summary>Takes the first file that is free, and creates the folder.</summary>
    /// <exception cref="IOException">The files of all numbers are in use.</exception>
    public static ReportFile Claim(string path)
    {
        var folder = System.IO.Path.GetDirectoryName(System.IO.Path.GetFullPath(path))!;
        if (OperatingSystem.IsWindows())
        {
            Directory.CreateDirectory(folder);
        }
        else
        {
            Directory.CreateDirectory(folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        }

        for (var number = 1; number <= MaxFiles; number++)
        {
            if (TryClaim(Numbered(path, number)) is { } claimed)
            {
                return claimed;
            }
        }

        throw new IOException($"All {MaxFiles} files of the error queue '{path}' are in use.");
    }

    /// <summary>Takes each file of the same path whose node is gone. The caller moves its lines and disposes it.</summary>
    public static IEnumerable<ReportFile> ClaimAbandoned(string path)
    {
        var (folder, name) = (System.IO.Path.GetDirectoryName(System.IO.Path.GetFullPath(path))!, System.IO.Path.GetFileName(path));
        var (stem, extension) = (System.IO.Path.GetFileNameWithoutExtension(name), System.IO.Path.GetExtension(name));
        foreach (var file in Directory.GetFiles(folder).Order(StringComparer.Ordinal))
        {
            var other = System.IO.Path.GetFileName(file);
            var isOfPath = other == name
                || (other.Length > name.Length && other.StartsWith(stem + ".", StringComparison.Ordinal)
                    && other.EndsWith(extension, StringComparison.Ordinal)
                    && int.TryParse(other.AsSpan(stem.Length + 1, other.Length - name.Length - 1), NumberStyles.None,
                        CultureInfo.InvariantCulture, out _));
            if (isOfPath && TryClaim(System.IO.Path.Combine(folder, other)) is { } abandoned)
            {
                yield return abandoned;
            }
        }
    }

    /// <summary>Reads all lines with their places; a line that ends with the file may be half a line.</summary>
    public IEnumerable<(Place Place, byte[] Line)> ReadAll()
    {
        if (!File.Exists(Path))
        {
            yield break;
        }

        using var file = new FileStream(Path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        using var line = new MemoryStream();
        var buffer = new byte[64 * 1024];
        var start = 0L;
        for (var read = file.Read(buffer); read > 0; read = file.Read(buffer))
        {
            var rest = buffer.AsMemory(0, read);
            for (var end = rest.Span.IndexOf((byte)'\n'); end >= 0; end = rest.Span.IndexOf((byte)'\n'))
            {
                line.Write(rest.Span[..end]);
                yield return (new(start, (int)line.Length), line.ToArray());
                start += line.Length + 1;
                line.SetLength(0);
                rest = rest[(end + 1)..];
            }

            line.Write(rest.Span);
        }

        if (line.Length > 0)
        {
            _isTorn = true;
            yield return (new(start, (int)line.Length), line.ToArray());
        }
    }

    /// <summary>The lines at some places, in their order.</summary>
    public List<byte[]> Read(IEnumerable<Place> places)
    {
        var lines = new List<byte[]>();
        using var file = new FileStream(Path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        foreach (var place in places)
        {
            var line = new byte[place.Length];
            file.Position = place.Offset;
            file.ReadExactly(line);
            lines.Add(line);
        }

        return lines;
    }

    /// <summary>Adds a line at the end.</summary>
    public Place Append(byte[] line)
    {
        using var file = Open(Path, FileMode.Append);
        // A failed append may have left half a line: begin on one of our own.
        var offset = file.Length + (_isTorn ? 1 : 0);
        file.Write(_isTorn ? [(byte)'\n', .. line, (byte)'\n'] : [.. line, (byte)'\n']);
        _isTorn = true;
        file.Flush();
        _isTorn = false;
        return new(offset, line.Length);
    }

    /// <summary>Keeps only the lines at some places; a crash leaves the old file or the new one. Returns the new places.</summary>
    public List<Place> Rewrite(IReadOnlyCollection<Place> places)
    {
        var (next, moved) = (Path + ".next", new List<Place>(places.Count));
        File.Delete(next); // an old one may have another mode
        using (var file = Open(next, FileMode.Create))
        {
            if (places.Count > 0)
            {
                using var old = new FileStream(Path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
                foreach (var place in places)
                {
                    var line = new byte[place.Length];
                    old.Position = place.Offset;
                    old.ReadExactly(line);
                    moved.Add(new(file.Position, place.Length));
                    file.Write(line);
                    file.WriteByte((byte)'\n');
                }
            }

            file.Flush(flushToDisk: true);
        }

        File.Move(next, Path, overwrite: true);
        _isTorn = false;
        return moved;
    }

    /// <summary>Deletes the lines; the lock file stays, because another process may be about to lock it.</summary>
    public void Delete() => File.Delete(Path);

    public void Dispose() => _owner.Dispose();

    private static ReportFile? TryClaim(string path)
    {
        try
        {
            return new(path, Open(path + ".lock", FileMode.OpenOrCreate, FileShare.None));
        }
        catch (IOException failure) when (s_locked.Contains(failure.HResult))
        {
            return null;
        }
    }

    private static FileStream Open(string path, FileMode mode, FileShare share = FileShare.Read)
    {
        var options = new FileStreamOptions { Mode = mode, Access = FileAccess.Write, Share = share };
        if (!OperatingSystem.IsWindows())
        {
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        }

        return new(path, options);
    }

    private static string Numbered(string path, int number) => number == 1
        ? path
        : string.Create(
            CultureInfo.InvariantCulture,
            $"{System.IO.Path.ChangeExtension(path, null)}.{number}{System.IO.Path.GetExtension(path)}");

    /// <summary>Where a line lies in the file, without its end.</summary>
    public readonly record struct Place(long Offset, int Length);
}
