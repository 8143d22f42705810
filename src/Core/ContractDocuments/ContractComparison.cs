using System.Text.Json.Nodes;

namespace ServiceMesh;

/// <summary>
/// Compares two documents of one service. What the service reads must take everything that the older contract allowed; what it
/// writes must stay within what the older contract promised.
/// </summary>
internal sealed class ContractComparison(JsonObject older, JsonObject newer)
{
    private readonly List<ContractChange> _changes = [];
    private readonly HashSet<(JsonNode, JsonNode, bool)> _compared = [];
    private string _topic = "";

    public IReadOnlyList<ContractChange> Changes()
    {
        var (before, after) = ((JsonObject)older["channels"]!, (JsonObject)newer["channels"]!);
        foreach (var topic in before.Select(c => c.Key).Union(after.Select(c => c.Key)).Order(StringComparer.Ordinal))
        {
            _topic = topic;
            if (after[topic] is not JsonObject now)
            {
                Add("", "the topic was removed; those who call it find no handler", isBreaking: true);
            }
            else if (before[topic] is not JsonObject then)
            {
                Add("", "the topic was added", isBreaking: false);
            }
            else
            {
                CompareMessages(then["messages"] as JsonObject ?? [], now["messages"] as JsonObject ?? []);
            }
        }

        return _changes;
    }

    private void CompareMessages(JsonObject before, JsonObject after)
    {
        foreach (var (name, then) in before)
        {
            if (after[name] is not { } now)
            {
                Add(name, $"the {name} was removed", isBreaking: true);
                continue;
            }

            CompareSchemas(then!["payload"], now["payload"], name, name.StartsWith("reply", StringComparison.Ordinal));
        }

        foreach (var name in after.Select(m => m.Key).Where(name => !before.ContainsKey(name)))
        {
            Add(name, $"the {name} was added", isBreaking: false);
        }
    }

    // 'isWritten': this service writes it and the others read it.
    private void CompareSchemas(JsonNode? before, JsonNode? after, string path, bool isWritten)
    {
        var (then, now) = (Resolve(before, older), Resolve(after, newer));
        if (then is null || now is null || !_compared.Add((then, now, isWritten)))
        {
            return;
        }

        CompareTypes(then, now, path, isWritten);
        CompareValues(then, now, path, isWritten);
        CompareForm(then, now, path, isWritten);
        CompareMembers(then, now, path, isWritten);
        CompareChoices(then, now, path, isWritten);
        CompareSchemas(then["items"], now["items"], $"{path}[]", isWritten);
        CompareSchemas(then["additionalProperties"], now["additionalProperties"], $"{path}{{}}", isWritten);
    }

    private void CompareTypes(JsonObject then, JsonObject now, string path, bool isWritten)
    {
        var (before, after) = (TypesOf(then), TypesOf(now));
        if (before.SetEquals(after) || before.Count == 0 || after.Count == 0)
        {
            if (before.Count != after.Count)
            {
                Add(path, $"the type was {Words(before)} and is {Words(after)}", (after.Count == 0) == isWritten);
            }

            return;
        }

        if (before.Contains("null") != after.Contains("null"))
        {
            var isNullable = after.Contains("null");
            Add(
                path,
                isNullable ? "may be null now" + (isWritten ? "; callers that forbid null cannot read it" : "")
                    : "must not be null any longer" + (isWritten ? "" : "; null is refused"),
                isNullable == isWritten);
        }

        var (thenOnly, nowOnly) = (Without(before, after), Without(after, before));
        if (thenOnly.Count > 0 || nowOnly.Count > 0)
        {
            Add(path, $"the type was {Words(before)} and is {Words(after)}", (isWritten ? nowOnly : thenOnly).Count > 0);
        }
    }

    private void CompareValues(JsonObject then, JsonObject now, string path, bool isWritten)
    {
        if (then["enum"] is not JsonArray && now["enum"] is not JsonArray)
        {
            return;
        }

        var (before, after) = (ValuesOf(then), ValuesOf(now));
        foreach (var value in before.Except(after))
        {
            Add(path, $"the value {value} was removed{(isWritten ? "" : "; those who send it are refused")}", !isWritten);
        }

        foreach (var value in after.Except(before))
        {
            Add(path, $"the value {value} was added{(isWritten ? "; callers that do not know it cannot read it" : "")}", isWritten);
        }
    }

    private void CompareForm(JsonObject then, JsonObject now, string path, bool isWritten)
    {
        foreach (var keyword in (string[])["format", "pattern", "const", "contentEncoding"])
        {
            var (before, after) = (then[keyword]?.ToJsonString(), now[keyword]?.ToJsonString());
            if (before != after)
            {
                // Without a form, every value of the type is allowed.
                var widens = after is null;
                var narrows = before is null;
                Add(
                    path,
                    $"the {keyword} was {before ?? "not given"} and is {after ?? "not given"}",
                    widens ? isWritten : !narrows || !isWritten);
            }
        }
    }

    private void CompareMembers(JsonObject then, JsonObject now, string path, bool isWritten)
    {
        var (before, after) = (MembersOf(then), MembersOf(now));
        var (requiredThen, requiredNow) = (RequiredOf(then), RequiredOf(now));
        var added = after.Where(m => !before.ContainsKey(m.Key)).ToArray();
        foreach (var (name, schema) in before)
        {
            if (after.TryGetValue(name, out var match))
            {
                CompareSchemas(schema, match, $"{path}.{name}", isWritten);
                CompareDuty($"{path}.{name}", requiredThen.Contains(name), requiredNow.Contains(name), isWritten);
                continue;
            }

            var renamed = added.Where(m => JsonNode.DeepEquals(m.Value, schema)).Select(m => m.Key).FirstOrDefault();
            Add(
                $"{path}.{name}",
                (renamed is null ? "the member was removed" : $"the member was removed, or renamed to '{renamed}'")
                + (isWritten ? "; callers no longer get it" : "; what callers send in it is no longer read"),
                isBreaking: true);
        }

        foreach (var (name, _) in added)
        {
            var isRequired = requiredNow.Contains(name);
            Add(
                $"{path}.{name}",
                isRequired && !isWritten ? "a required member was added; callers that do not send it are refused" : "the member was added",
                isRequired && !isWritten);
        }
    }

    private void CompareDuty(string path, bool wasRequired, bool isRequired, bool isWritten)
    {
        if (wasRequired != isRequired)
        {
            Add(
                path,
                !isRequired ? "is not required any longer"
                    : isWritten ? "is required now" : "is required now; callers that do not send it are refused",
                isRequired && !isWritten);
        }
    }

    // The types of a hierarchy, by their discriminators.
    private void CompareChoices(JsonObject then, JsonObject now, string path, bool isWritten)
    {
        if (then["anyOf"] is not JsonArray before || now["anyOf"] is not JsonArray after)
        {
            if ((then["anyOf"] is null) != (now["anyOf"] is null))
            {
                var isOne = now["anyOf"] is not null;
                Add(path, isOne ? "is a hierarchy of types now" : "is not a hierarchy of types any longer", isBreaking: true);
            }

            return;
        }

        var (old, current) = (ChoicesOf(before, older), ChoicesOf(after, newer));
        foreach (var (kind, schema) in old)
        {
            if (current.TryGetValue(kind, out var match))
            {
                CompareSchemas(schema, match, $"{path}({kind})", isWritten);
            }
            else
            {
                Add(path, $"the type '{kind}' of the hierarchy was removed", !isWritten);
            }
        }

        foreach (var kind in current.Keys.Where(k => !old.ContainsKey(k)))
        {
            Add(
                path,
                $"the type '{kind}' of the hierarchy was added{(isWritten ? "; callers that do not know it cannot read it" : "")}",
                isWritten);
        }
    }

    private static Dictionary<string, JsonObject> ChoicesOf(JsonArray choices, JsonObject document)
    {
        var named = new Dictionary<string, JsonObject>();
        foreach (var (index, choice) in choices.Index())
        {
            if (Resolve(choice, document) is { } schema)
            {
                var kind = MembersOf(schema).Where(m => m.Key.StartsWith('$')).Select(m => m.Value?["const"]?.ToString()).FirstOrDefault();
                named[kind ?? $"{index}"] = schema;
            }
        }

        return named;
    }

    private static HashSet<string> TypesOf(JsonObject schema) => schema["type"] switch
    {
        JsonArray several => [.. several.Select(t => t!.GetValue<string>())],
        JsonValue one => [one.GetValue<string>()],
        _ => [],
    };

    // Every integer is a number.
    private static List<string> Without(HashSet<string> types, HashSet<string> others) =>
        [.. types.Where(t => t != "null" && !others.Contains(t) && !(t == "integer" && others.Contains("number")))];

    private static string Words(HashSet<string> types) =>
        types.Count == 0
            ? "any value"
            : string.Join(" or ", types.Order(StringComparer.Ordinal).Where(t => t != "null" || types.Count == 1));

    private static string[] ValuesOf(JsonObject schema) =>
        schema["enum"] is JsonArray values ? [.. values.Select(v => v?.ToJsonString() ?? "null")] : [];

    private static Dictionary<string, JsonNode?> MembersOf(JsonObject schema) =>
        schema["properties"] is JsonObject members ? new(members, StringComparer.OrdinalIgnoreCase) : [];

    private static HashSet<string> RequiredOf(JsonObject schema) => schema["required"] is JsonArray names
        ? new(names.Select(n => n!.GetValue<string>()), StringComparer.OrdinalIgnoreCase)
        : [];

    private static JsonObject? Resolve(JsonNode? node, JsonObject document)
    {
        for (var steps = 0; steps < 32 && node is JsonObject schema; steps++)
        {
            if (schema["$ref"]?.GetValue<string>() is not { } target)
            {
                return schema;
            }

            node = document;
            foreach (var part in target.TrimStart('#').Split('/', StringSplitOptions.RemoveEmptyEntries))
            {
                var name = Uri.UnescapeDataString(part)
                    .Replace("~1", "/", StringComparison.Ordinal).Replace("~0", "~", StringComparison.Ordinal);
                node = node switch
                {
                    JsonObject parent => parent[name],
                    JsonArray list when int.TryParse(name, out var index) && index < list.Count => list[index],
                    _ => null,
                };
            }
        }

        return null;
    }

    private void Add(string path, string description, bool isBreaking) => _changes.Add(new(_topic, path, description, isBreaking));
}
