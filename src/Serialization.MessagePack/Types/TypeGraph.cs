using System.Reflection;
using MessagePack;

namespace ServiceMesh.MessagePack;

/// <summary>
/// The types that a type consists of: its members, its elements, the types of its union. The library looks for the formatter of
/// a member when it meets the first value; this class finds them all before the first message. Thread-safe.
/// </summary>
internal sealed class TypeGraph(FormatterSource formatters, BodySecurity security)
{
    private static readonly Assembly s_library = typeof(MessagePackSerializer).Assembly;

    /// <summary>Refuses a type that cannot be serialized, or has such a type somewhere in it.</summary>
    /// <exception cref="NotSupportedException">The message names the type, the member that leads to it, and what to do.</exception>
    public void Check(Type root)
    {
        var seen = new HashSet<Type>();
        Visit(root, "");

        void Visit(Type type, string path)
        {
            if (!seen.Add(type))
            {
                return;
            }

            object formatter;
            try
            {
                formatter = formatters.Of(type);
                HashedKeys.Check(type, formatter, security);
            }
            catch (UnsupportedTypeException refusal)
            {
                throw Refused(path, refusal);
            }

            foreach (var (member, own) in FormattedMembersOf(type, formatter))
            {
                try
                {
                    FormatterSource.RefuseTypeless(ObjectContract.TypeOf(member), own);
                }
                catch (UnsupportedTypeException refusal)
                {
                    throw Refused(Below(path, member.Name), refusal);
                }
            }

            foreach (var (member, part) in PartsOf(type, formatter))
            {
                Visit(part, Below(path, member));
            }
        }

        NotSupportedException Refused(string path, UnsupportedTypeException refusal)
        {
            var where = path.Length == 0 ? "" : $", because of its member {path}";
            return new($"MessagePack cannot serialize {TypeWords.Name(root)}{where}. {refusal.Message}", refusal);
        }

        static string Below(string path, string? member) => member is null ? path : path.Length == 0 ? member : $"{path}.{member}";
    }

    /// <summary>True when a value of the type can contain another value of the type, and so itself.</summary>
    public bool IsRecursive(Type root)
    {
        var seen = new HashSet<Type>();
        var open = new Stack<Type>([root]);
        while (open.TryPop(out var type))
        {
            foreach (var (_, part) in PartsOf(type))
            {
                if (part == root)
                {
                    return true;
                }

                if (seen.Add(part))
                {
                    open.Push(part);
                }
            }
        }

        return false;
    }

    private IEnumerable<(string? Member, Type Part)> PartsOf(Type type)
    {
        try
        {
            return PartsOf(type, formatters.Of(type));
        }
        catch (UnsupportedTypeException)
        {
            return []; // no value of it will be written
        }
    }

    // The types that a formatter asks the resolver for: a collection's for its type arguments, an emitted one for the members.
    private static IEnumerable<(string? Member, Type Part)> PartsOf(Type type, object formatter)
    {
        if (IsEmitted(formatter))
        {
            return type.IsInterface || type.IsAbstract
                ? type.GetCustomAttributes<UnionAttribute>(inherit: false).Select(u => ((string?)null, u.SubType))
                : new ObjectContract(type).Members.Select(m => ((string?)m.Name, ObjectContract.TypeOf(m)));
        }

        var kind = formatter.GetType();
        if (kind.Assembly != s_library || !kind.IsGenericType || type.IsEnum)
        {
            return [];
        }

        // A collection class of the application is the last argument itself, and may be its own element.
        var arguments = kind.GenericTypeArguments;
        var parts = arguments.Length > 1 && arguments[^1] == type ? arguments[..^1] : arguments;
        return parts.Select(p => ((string?)null, p));
    }

    private static IEnumerable<(MemberInfo Member, Type Formatter)> FormattedMembersOf(Type type, object formatter) =>
        IsEmitted(formatter) && !type.IsInterface && !type.IsAbstract ? new ObjectContract(type).Formatted : [];

    /// <summary>True for a formatter that the library wrote for the members of a type.</summary>
    public static bool IsEmitted(object formatter) =>
        formatter.GetType() is var kind && (kind.Assembly.IsDynamic || kind.Namespace == "MessagePack.Internal");
}
