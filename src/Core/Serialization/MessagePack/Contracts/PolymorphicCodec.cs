using System.Collections.Concurrent;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;

namespace ServiceMesh;

/// <summary>
/// A type whose derived types have discriminators: a member more, written first. It is looked for anywhere in the map,
/// because other languages do not keep the order of maps.
/// </summary>
internal sealed class PolymorphicCodec<T> : Codec<T>
{
    private readonly CodecSet _codecs;
    private readonly JsonTypeInfo _contract;
    private readonly JsonPolymorphismOptions _options;
    private readonly byte[] _key;
    private readonly IMemberCodec _base;
    private readonly List<(Type Type, byte[] Discriminator, object? Value)> _derived = [];
    private readonly ConcurrentDictionary<Type, (IMemberCodec Codec, byte[] Member)> _written = new();

    public PolymorphicCodec(CodecSet codecs, JsonTypeInfo contract)
    {
        _codecs = codecs;
        _contract = contract;
        _options = contract.PolymorphismOptions!;
        _key = MessagePackText.Encode(_options.TypeDiscriminatorPropertyName);
        _base = (IMemberCodec)codecs.MembersOf(contract);
        foreach (var derived in _options.DerivedTypes)
        {
            _derived.Add((derived.DerivedType, derived.TypeDiscriminator switch
            {
                string name => MessagePackText.Encode(name),
                int number => MessagePackText.Encode(number),
                _ => [],
            }, derived.TypeDiscriminator));
        }
    }

    public override void Write(ref MessagePackWriter writer, T value)
    {
        if (value is null)
        {
            writer.WriteNil();
            return;
        }

        var (codec, member) = _written.GetOrAdd(value.GetType(), static (type, self) => self.Resolve(type), this);
        codec.WriteMembers(ref writer, value, member);
    }

    public override T Read(ref MessagePackReader reader)
    {
        if (reader.TryReadNil())
        {
            return default!;
        }

        reader.Enter();
        var count = reader.ReadMapHeader();
        var value = (T)Find(reader, count).ReadMembers(ref reader, count, MessagePackText.Utf8Of(_key));
        reader.Leave();
        return value;
    }

    // A copy of the reader looks ahead.
    private IMemberCodec Find(MessagePackReader ahead, int count)
    {
        for (; count > 0; count--)
        {
            if (!IsKey(ref ahead))
            {
                ahead.Skip();
                continue;
            }

            var start = ahead.Position;
            return FindDerived(ref ahead) is { } derived ? _codecs.MembersOf(derived)
                : _options.IgnoreUnrecognizedTypeDiscriminators ? _base
                : throw new MessagePackException($"The value is no known type discriminator of {_contract.Type.Name}", start);
        }

        return _contract.Type.IsAbstract
            ? throw new MessagePackException(
                $"The value has no type discriminator '{_options.TypeDiscriminatorPropertyName}', and {_contract.Type.Name} is abstract", ahead.Position)
            : _base;
    }

    private Type? FindDerived(ref MessagePackReader ahead)
    {
        foreach (var (type, discriminator, _) in _derived)
        {
            if (discriminator.Length > 0 && ahead.TryReadRaw(discriminator))
            {
                return type;
            }
        }

        // Another writer may not take the shortest form, and a body may be split within the value.
        switch (ahead.NextKind)
        {
            case MessagePackKind.Integer:
                var number = ahead.ReadInteger(out var isAbove);
                return _derived.FirstOrDefault(d => d.Value is int known && known == number && !isAbove).Type;
            case MessagePackKind.String:
                var name = ahead.ReadUtf8();
                foreach (var (type, discriminator, value) in _derived)
                {
                    if (value is string && MessagePackText.Utf8Of(discriminator).SequenceEqual(name))
                    {
                        return type;
                    }
                }

                return null;
            default:
                return null;
        }
    }

    private bool IsKey(ref MessagePackReader ahead)
    {
        if (ahead.TryReadRaw(_key))
        {
            return true;
        }

        if (ahead.NextKind == MessagePackKind.String)
        {
            return ahead.ReadUtf8().SequenceEqual(MessagePackText.Utf8Of(_key));
        }

        ahead.Skip();
        return false;
    }

    private (IMemberCodec Codec, byte[] Member) Resolve(Type type)
    {
        if (Exactly(type) is { } found)
        {
            return found;
        }

        if (type == _contract.Type)
        {
            return (_base, []);
        }

        switch (_options.UnknownDerivedTypeHandling)
        {
            case JsonUnknownDerivedTypeHandling.FallBackToBaseType:
                return (_base, []);
            case JsonUnknownDerivedTypeHandling.FallBackToNearestAncestor:
                for (var ancestor = type.BaseType; ancestor is not null && ancestor != _contract.Type; ancestor = ancestor.BaseType)
                {
                    if (Exactly(ancestor) is { } nearest)
                    {
                        return nearest;
                    }
                }

                return _derived.Where(d => d.Type.IsInterface && d.Type.IsAssignableFrom(type)).Take(2).ToArray() switch
                {
                    [] => (_base, []),
                    [var one] => Exactly(one.Type)!.Value,
                    _ => throw Unsupported(type, "more than one of its interfaces is"),
                };
            default:
                throw Unsupported(type, "it is not");
        }
    }

    private (IMemberCodec, byte[])? Exactly(Type type)
    {
        foreach (var (derived, discriminator, _) in _derived)
        {
            if (derived == type)
            {
                return (_codecs.MembersOf(derived), discriminator.Length == 0 ? [] : [.. _key, .. discriminator]);
            }
        }

        return null;
    }

    private NotSupportedException Unsupported(Type type, string reason) => new(
        $"{type} cannot be written as a {_contract.Type}: {reason} among the derived types of its contract.");
}
