using System.Reflection;
using System.Reflection.Metadata;
using System.Reflection.PortableExecutable;

namespace ServiceMesh.Redis.Tests.Lift;

/// <summary>The public surface of a compiled library, searched as the runtime searches it, without loading anything.</summary>
internal sealed class Library : IDisposable
{
    private readonly PEReader _file;
    private readonly MetadataReader _reader;
    private readonly Dictionary<string, TypeDefinitionHandle> _types;

    public Library(string path)
    {
        _file = new PEReader(File.OpenRead(path));
        _reader = _file.GetMetadataReader();
        _types = _reader.TypeDefinitions.ToDictionary(type => SignatureText.Name(_reader, type));
    }

    public Version Version => _reader.GetAssemblyDefinition().Version;

    public void Dispose() => _file.Dispose();

    /// <summary>Null when the runtime would find it and allow its use; otherwise what is wrong.</summary>
    public string? Complain(Reference reference)
    {
        if (!_types.TryGetValue(reference.Type, out var type))
        {
            return ForwardedTo(reference.Type) is { } other
                ? $"{reference}: the type has moved to {other}"
                : $"{reference}: there is no such type";
        }

        if (!IsPublic(type))
        {
            return $"{reference}: the type is not public";
        }

        return reference.Member is null || IsInherited(type, reference) ? null : $"{reference}: there is no such public member";
    }

    /// <summary>Names and values of an enumeration; null when the type is none, or is not here.</summary>
    public IReadOnlyDictionary<string, object?>? Enumeration(string name)
    {
        if (!_types.TryGetValue(name, out var handle) || BaseName(handle) != "System.Enum")
        {
            return null;
        }

        return _reader.GetTypeDefinition(handle).GetFields().Select(_reader.GetFieldDefinition)
            .Where(field => field.Attributes.HasFlag(FieldAttributes.Literal))
            .ToDictionary(field => _reader.GetString(field.Name), field => ValueOf(_reader.GetConstant(field.GetDefaultValue())));
    }

    // A class has the members of its base classes. An interface has its own only: a call of a member that has moved to a
    // base interface ends as MissingMethodException.
    private bool IsInherited(TypeDefinitionHandle handle, Reference reference)
    {
        var type = _reader.GetTypeDefinition(handle);
        return Declares(type, reference)
            || (!type.Attributes.HasFlag(TypeAttributes.Interface)
                && BaseName(handle) is { } parent && _types.TryGetValue(parent, out var inherited) && IsInherited(inherited, reference));
    }

    private bool Declares(TypeDefinition type, Reference reference) =>
        type.GetMethods().Select(_reader.GetMethodDefinition).Any(method =>
            _reader.StringComparer.Equals(method.Name, reference.Member!)
            && (method.Attributes & MethodAttributes.MemberAccessMask) == MethodAttributes.Public
            && SignatureText.Of(method.DecodeSignature(SignatureText.Provider, null)) == reference.Signature)
        || type.GetFields().Select(_reader.GetFieldDefinition).Any(field =>
            _reader.StringComparer.Equals(field.Name, reference.Member!)
            && (field.Attributes & FieldAttributes.FieldAccessMask) == FieldAttributes.Public
            && field.DecodeSignature(SignatureText.Provider, null) == reference.Signature);

    private bool IsPublic(TypeDefinitionHandle handle)
    {
        var type = _reader.GetTypeDefinition(handle);
        return (type.Attributes & TypeAttributes.VisibilityMask) switch
        {
            TypeAttributes.Public => true,
            TypeAttributes.NestedPublic => IsPublic(type.GetDeclaringType()),
            _ => false,
        };
    }

    private string? BaseName(TypeDefinitionHandle handle) => _reader.GetTypeDefinition(handle).BaseType switch
    {
        { IsNil: true } => null,
        { Kind: HandleKind.TypeDefinition } parent => SignatureText.Name(_reader, (TypeDefinitionHandle)parent),
        { Kind: HandleKind.TypeReference } parent => SignatureText.Name(_reader, (TypeReferenceHandle)parent),
        _ => null,
    };

    private string? ForwardedTo(string name) => _reader.ExportedTypes.Select(_reader.GetExportedType)
        .Where(type => type.IsForwarder && $"{_reader.GetString(type.Namespace)}.{_reader.GetString(type.Name)}" == name)
        .Select(type => _reader.GetString(_reader.GetAssemblyReference((AssemblyReferenceHandle)type.Implementation).Name))
        .FirstOrDefault();

    private object? ValueOf(Constant constant) => _reader.GetBlobReader(constant.Value).ReadConstant(constant.TypeCode);
}
