using NUnit.Framework;

namespace ServiceMesh.Redis.Tests;

/// <summary>The user of docs/redis.md.</summary>
internal static class DocumentedUser
{
    /// <summary>The words of its line for a wire.</summary>
    public static string[] Line(string wire)
    {
        var document = File.ReadAllText(Path.Combine(RepositoryFolder(), "docs", "redis.md"));
        var block = document[document.IndexOf("ACL SETUSER mesh", StringComparison.Ordinal)..];
        block = wire == "Native" ? block : block[block.IndexOf("ACL SETUSER mesh", 1, StringComparison.Ordinal)..];
        return block[..block.IndexOf("\n```", StringComparison.Ordinal)].Replace("\\\n", " ", StringComparison.Ordinal)
            .Split(' ', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
    }

    private static string RepositoryFolder()
    {
        var folder = TestContext.CurrentContext.TestDirectory;
        while (!File.Exists(Path.Combine(folder, "ServiceMesh.sln")))
        {
            folder = Path.GetDirectoryName(folder) ?? throw new InvalidOperationException("The repository was not found.");
        }

        return folder;
    }
}
