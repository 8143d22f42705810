namespace ServiceMesh.Samples.WordCount;

/// <summary>What is counted when no file is named: the documents of the repository that this sample is part of.</summary>
public static class RepositoryDocuments
{
    private static readonly string[] s_inRoot = ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE"];

    /// <summary>Those of the root that exist, then <c>docs/**/*.md</c> in ordinal order; full paths.</summary>
    /// <exception cref="UsageException">This is no working copy of the repository.</exception>
    public static IReadOnlyList<string> Find()
    {
        var root = RootAbove(Environment.CurrentDirectory) ?? RootAbove(AppContext.BaseDirectory)
            ?? throw new UsageException("There is no ServiceMesh.sln here or above, so no documents to count. Name a FILE or URL.");
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
