using ServiceMesh.Packaging;

// Makes what a package has beside its assembly. Called by packaging/Packages.targets for each project.
if (args is not [var repository, var documentation, var readme, var output])
{
    Console.Error.WriteLine("PackageContents REPOSITORY DOCUMENTATION.xml README.md OUTPUT");
    return 2;
}

Directory.CreateDirectory(output);
File.WriteAllText(
    Path.Combine(output, Path.GetFileName(documentation)), Examples.Written(File.ReadAllText(documentation), repository));
File.WriteAllText(Path.Combine(output, "README.md"), Texts.WithoutSnippetNames(File.ReadAllText(readme)));
File.WriteAllText(
    Path.Combine(output, "release-notes.txt"), Texts.NewestSection(File.ReadAllText(Path.Combine(repository, "CHANGELOG.md"))));
File.WriteAllBytes(Path.Combine(output, "icon.png"), Icon.Png());
return 0;
