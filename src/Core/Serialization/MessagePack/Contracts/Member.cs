using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;

namespace ServiceMesh;

/// <summary>One member of a contract, without its type.</summary>
internal abstract class Member<TOwner>(JsonPropertyInfo property)
{
    private readonly int _nameAt = MessagePackText.HeaderOf(property.Name);

    public string Name { get; } = property.Name;

    /// <summary>The name as it stands in a body.</summary>
    public byte[] Key { get; } = MessagePackText.Encode(property.Name);

    /// <summary>The name in UTF-8, without the header that it has in a body.</summary>
    public ReadOnlySpan<byte> Utf8Name => Key.AsSpan(_nameAt);

    public abstract bool IsWritten { get; }

    /// <summary>Whether a value of a body goes anywhere: into a setter or into a parameter of the constructor.</summary>
    public abstract bool IsRead { get; }

    /// <summary>Whether the member is sometimes left out.</summary>
    public abstract bool IsConditional { get; }

    public abstract bool IsPresent(ref TOwner owner);

    public abstract void Write(ref MessagePackWriter writer, ref TOwner owner);

    public abstract void Read(ref MessagePackReader reader, ref TOwner owner);

    /// <summary>Moves a value with its name into a JSON text.</summary>
    public abstract void Copy(ref MessagePackReader reader, Utf8JsonWriter json);

    public abstract Slot MakeSlot();

    public abstract void Read(ref MessagePackReader reader, Slot slot);

    /// <summary>Moves what waited in the slot into the object; nothing where the constructor took it.</summary>
    public abstract void Assign(Slot slot, ref TOwner owner);
}

internal sealed class Member<TOwner, TValue> : Member<TOwner>
{
    private readonly JsonPropertyInfo _property;
    private readonly CodecSet _codecs;
    private readonly Getter<TOwner, TValue>? _get;
    private readonly Setter<TOwner, TValue>? _set;
    private readonly JsonParameterInfo? _parameter;
    private readonly bool _skipsNull;
    private readonly bool _skipsDefault;
    private readonly bool _refusesNullOnRead;
    private readonly bool _refusesNullOnWrite;
    private readonly bool _isWrittenByJson;
    private readonly Type _owner;
    private Codec<TValue>? _codec;

    public Member(CodecSet codecs, JsonTypeInfo owner, JsonPropertyInfo property)
        : base(property)
    {
        var options = codecs.Options;
        // A converter that cannot be called without its type is called by JSON with the whole object.
        _isWrittenByJson = !codecs.IsDynamic && property.CustomConverter is not null;
        _property = property;
        _codecs = codecs;
        _owner = owner.Type;
        _get = property.Get is null || IsReadOnlyAndIgnored(property) ? null : Accessors.Get<TOwner, TValue>(property, codecs.IsDynamic);
        _set = Accessors.Set<TOwner, TValue>(property, codecs.IsDynamic);
        _parameter = property.AssociatedParameter is { IsMemberInitializer: false } parameter ? parameter : null;
        var ignored = property.ShouldSerialize is null ? options.DefaultIgnoreCondition : JsonIgnoreCondition.Never;
        _skipsNull = ignored == JsonIgnoreCondition.WhenWritingNull && default(TValue) is null;
        _skipsDefault = ignored == JsonIgnoreCondition.WhenWritingDefault;
        _refusesNullOnRead = options.RespectNullableAnnotations && !property.IsSetNullable && default(TValue) is null;
        _refusesNullOnWrite = options.RespectNullableAnnotations && !property.IsGetNullable && default(TValue) is null;
    }

    public override bool IsWritten => _get is not null;

    public override bool IsRead => _set is not null || (_parameter is not null && _property.Get is not null);

    public override bool IsConditional => _skipsNull || _skipsDefault || _property.ShouldSerialize is not null;

    // Asked for late: a type may contain itself.
    private Codec<TValue> Codec => _codec ??= _codecs.ForMember<TValue>(_property);

    public override bool IsPresent(ref TOwner owner)
    {
        var value = _get!(ref owner);
        return !(_skipsNull && value is null)
            && !(_skipsDefault && EqualityComparer<TValue>.Default.Equals(value, DefaultOfType))
            && (_property.ShouldSerialize is not { } condition || condition(owner!, value));
    }

    public override void Write(ref MessagePackWriter writer, ref TOwner owner)
    {
        if (_isWrittenByJson)
        {
            JsonText.Write(ref writer, JsonForm.Of(_codecs.JsonContract(_owner)).ToJson(owner).GetProperty(Name));
            return;
        }

        var value = _get!(ref owner);
        if (_refusesNullOnWrite && value is null)
        {
            throw new InvalidOperationException($"The member '{Name}' is null, and its type does not allow that.");
        }

        Codec.Write(ref writer, value);
    }

    public override void Read(ref MessagePackReader reader, ref TOwner owner) => _set!(ref owner, ReadValue(ref reader));

    public override void Copy(ref MessagePackReader reader, Utf8JsonWriter json)
    {
        json.WritePropertyName(Name);
        if (_property.CustomConverter is not null)
        {
            JsonText.Copy(ref reader, json);
        }
        else
        {
            JsonSerializer.Serialize(json, Codec.Read(ref reader), _codecs.JsonContract(_property.PropertyType));
        }
    }

    public override Slot MakeSlot() =>
        new Slot<TValue>(_parameter is { HasDefaultValue: true, DefaultValue: TValue value } ? value : DefaultOfType!);

    public override void Read(ref MessagePackReader reader, Slot slot) => ((Slot<TValue>)slot).Value = ReadValue(ref reader);

    public override void Assign(Slot slot, ref TOwner owner)
    {
        if (_parameter is null)
        {
            _set!(ref owner, ((Slot<TValue>)slot).Value);
        }
    }

    // Where values are boxed, null is not what an int is without a value.
    private TValue? DefaultOfType => typeof(TValue) == typeof(object) && _property.PropertyType.IsValueType
        ? (TValue?)BoxedDefault.Of(_property.PropertyType)
        : default;

    private TValue ReadValue(ref MessagePackReader reader)
    {
        var start = reader.Position;
        var value = Codec.Read(ref reader);
        return _refusesNullOnRead && value is null
            ? throw new MessagePackException($"The member '{Name}' is nil, and its type does not allow that", start)
            : value;
    }

    private static bool IsReadOnlyAndIgnored(JsonPropertyInfo property) =>
        property.Set is null && property.ShouldSerialize is null && property.AttributeProvider switch
        {
            System.Reflection.PropertyInfo => property.Options.IgnoreReadOnlyProperties,
            System.Reflection.FieldInfo => property.Options.IgnoreReadOnlyFields,
            _ => false,
        };
}
