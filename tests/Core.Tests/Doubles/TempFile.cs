using NUnit.Framework;

namespace ServiceMesh.Core.Tests;

/// <summary>Files of tests, below one folder that is deleted when the run ends.</summary>
[SetUpFixture]
internal sealed class TempFile
{
    private static readonly string s_folder = Directory.CreateTempSubdirectory("servicemesh-tests-").FullName;

    public static string Path(string name = "errors.jsonl") =>
        System.IO.Path.Combine(Directory.CreateDirectory(System.IO.Path.Combine(s_folder, Guid.NewGuid().ToString("N"))).FullName, name);

    [OneTimeTearDown]
    public static void Clean() => Directory.Delete(s_folder, recursive: true);
}
