namespace ServiceMesh.Samples.WordCount;

/// <summary>The documents of this repository, which the sample counts when no file is named.</summary>
public static class RepositoryDocuments
{
    private static readonly string[] s_inRoot = ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE"];

    /// <summary>The documents in the root that exist, then <c>docs/**/*.md</c> in ordinal order, with full paths.</summary>
    /// <exception cref="UsageException">The current directory is not in a working copy of the repository.</exception>
    public static IReadOnlyList<string> Find()
    {
        var root = RootAbove(Environment.CurrentDirectory) ?? RootAbove(AppContext.BaseDirectory)
            ?? throw new UsageException(
                "There is no ServiceMesh.sln in this directory or above it, and so no documents to count. Name a FILE or URL.");
        var docs = new DirectoryInfo(Path.Combine(root, "docs"));
        var inDocs = docs.Exists ? docs.GetFiles("*.md", SearchOption.AllDirectories) : [];
        string[] documents =
        [
            .. s_inRoot.Select(name => Path.Combine(root, name)).Where(File.Exists),
            .. inDocs.Select(file => file.FullName).Order(StringComparer.Ordinal),
        ];
        return documents.Length > 0 ? documents : throw new UsageException($"There are no documents in '{root}'. Name a FILE or URL.");
    }

    private static string? RootAbove(string start)
    {
        for (var directory = new DirectoryInfo(start); directory is not null; directory = directory.Parent)
        {
            if (File.Exists(Path.Combine(directory.FullName, "ServiceMesh.sln")))
            {
                return directory.FullName;
            }
        }

        return null;
    }
}
