using System.Reflection.Metadata;
using System.Reflection.PortableExecutable;

namespace ServiceMesh.Redis.Tests.Lift;

/// <summary>Something of another assembly that compiled code names: a type, or a member with its whole signature.</summary>
/// <param name="Type">The type, or the one that the member is looked for in.</param>
/// <param name="Member">Its name; null for the type itself.</param>
/// <param name="Signature">As <see cref="SignatureText"/> writes it.</param>
internal sealed record Reference(string Type, string? Member = null, string? Signature = null)
{
    public override string ToString() => Member is null ? Type : $"{Type}::{Member} {Signature}";

    /// <summary>Everything of one assembly that another one names in its metadata.</summary>
    public static IReadOnlyList<Reference> ReadAll(string fromFile, string toAssembly)
    {
        using var file = new PEReader(File.OpenRead(fromFile));
        var reader = file.GetMetadataReader();
        return
        [
            .. reader.TypeReferences.Where(type => IsOf(reader, type, toAssembly)).Select(type => new Reference(SignatureText.Name(reader, type))),
            .. reader.MemberReferences.Select(handle => ReadMember(reader, reader.GetMemberReference(handle), toAssembly)).OfType<Reference>(),
        ];
    }

    /// <summary>The types of one assembly that types of another one implement or derive from.</summary>
    public static IReadOnlyList<string> ReadBases(string fromFile, string toAssembly)
    {
        using var file = new PEReader(File.OpenRead(fromFile));
        var reader = file.GetMetadataReader();
        var bases =
            from handle in reader.TypeDefinitions
            let type = reader.GetTypeDefinition(handle)
            from parent in (EntityHandle[])[type.BaseType, .. type.GetInterfaceImplementations().Select(i => reader.GetInterfaceImplementation(i).Interface)]
            where !parent.IsNil && Owner(reader, parent) is { } owner && IsOf(reader, owner, toAssembly)
            select SignatureText.Name(reader, Owner(reader, parent)!.Value);
        return [.. bases];
    }

    private static Reference? ReadMember(MetadataReader reader, MemberReference member, string assembly) =>
        Owner(reader, member.Parent) is { } owner && IsOf(reader, owner, assembly)
            ? new(
                SignatureText.Name(reader, owner),
                reader.GetString(member.Name),
                member.GetKind() == MemberReferenceKind.Method
                    ? SignatureText.Of(member.DecodeMethodSignature(SignatureText.Provider, null))
                    : member.DecodeFieldSignature(SignatureText.Provider, null))
            : null;

    // A member of a generic type hangs on an instantiation of it.
    private static TypeReferenceHandle? Owner(MetadataReader reader, EntityHandle parent)
    {
        if (parent.Kind == HandleKind.TypeReference)
        {
            return (TypeReferenceHandle)parent;
        }

        if (parent.Kind != HandleKind.TypeSpecification)
        {
            return null;
        }

        var blob = reader.GetBlobReader(reader.GetTypeSpecification((TypeSpecificationHandle)parent).Signature);
        if (blob.ReadSignatureTypeCode() != SignatureTypeCode.GenericTypeInstance)
        {
            return null;
        }

        blob.ReadCompressedInteger(); // class or value type
        var generic = blob.ReadTypeHandle();
        return generic.Kind == HandleKind.TypeReference ? (TypeReferenceHandle)generic : null;
    }

    private static bool IsOf(MetadataReader reader, TypeReferenceHandle handle, string assembly)
    {
        var scope = reader.GetTypeReference(handle).ResolutionScope;
        return scope.Kind switch
        {
            HandleKind.TypeReference => IsOf(reader, (TypeReferenceHandle)scope, assembly),
            HandleKind.AssemblyReference => reader.StringComparer.Equals(reader.GetAssemblyReference((AssemblyReferenceHandle)scope).Name, assembly),
            _ => false,
        };
    }
}
