using System.Text.Json;
using System.Text.Json.Nodes;

namespace ServiceMesh;

/// <summary>Writes the handlers of a node as an AsyncAPI 3.0 document (asyncapi.com/docs/reference/specification/v3.0.0).</summary>
internal static class AsyncApiDocument
{
    private static readonly JsonSerializerOptions s_layout = new() { WriteIndented = true, NewLine = "\n" };

    /// <summary>The document, with topics in the order of their names.</summary>
    /// <param name="title">The name of the service.</param>
    /// <param name="version">The version of the service.</param>
    /// <param name="contentType">Of the bodies that it writes.</param>
    /// <param name="handlers">What it handles.</param>
    /// <param name="json">Has the schemas.</param>
    public static string Write(
        string title, string version, string contentType, IEnumerable<HandlerDefinition> handlers, JsonMessageSerializer json)
    {
        var (channels, operations) = (new JsonObject(), new JsonObject());
        foreach (var topic in handlers.GroupBy(h => h.Pattern.ToString()).OrderBy(g => g.Key, StringComparer.Ordinal))
        {
            var messages = new JsonObject();
            channels[topic.Key] = new JsonObject { ["address"] = topic.Key, ["messages"] = messages };
            foreach (var handler in topic)
            {
                Add(topic.Key, handler, messages, operations, json);
            }
        }

        var document = new JsonObject
        {
            ["asyncapi"] = "3.0.0",
            ["info"] = new JsonObject { ["title"] = title, ["version"] = version },
            ["defaultContentType"] = contentType,
            ["channels"] = channels,
            ["operations"] = operations,
        };
        return $"{document.ToJsonString(s_layout)}\n";
    }

    // Several handlers of one pattern are one message where their types are the same.
    private static void Add(
        string topic, HandlerDefinition handler, JsonObject messages, JsonObject operations, JsonMessageSerializer json)
    {
        var kind = handler.Kind == MessageKind.Request ? "request" : "signal";
        var number = 1;
        string Name(string of) => number == 1 ? of : $"{of}-{number}";
        JsonObject input;
        while (true)
        {
            input = Message(topic, Name(kind), handler.Input, !handler.ForbidsNull, json);
            if (messages[Name(kind)] is not { } other)
            {
                break;
            }

            if (JsonNode.DeepEquals(other, input))
            {
                return;
            }

            number++;
        }

        messages[Name(kind)] = input;
        var operation = new JsonObject
        {
            ["action"] = "receive",
            ["channel"] = Reference("channels", topic),
            ["messages"] = new JsonArray(Reference("channels", topic, "messages", Name(kind))),
        };
        if (handler.Output is { } output)
        {
            messages[Name("reply")] = Message(topic, Name("reply"), output, takesNull: false, json);
            operation["reply"] = new JsonObject
            {
                ["channel"] = Reference("channels", topic),
                ["messages"] = new JsonArray(Reference("channels", topic, "messages", Name("reply"))),
            };
        }

        operations[number == 1 && !operations.ContainsKey(topic) ? topic : $"{topic}-{kind}-{number}"] = operation;
    }

    private static JsonObject Message(string topic, string message, Type type, bool takesNull, JsonMessageSerializer json)
    {
        var schema = SchemaOf(type, json);
        if (takesNull && !type.IsValueType && schema is JsonObject { } root && root["type"] is JsonValue only)
        {
            root["type"] = new JsonArray(only.DeepClone(), "null");
        }

        Rebase(schema, Pointer("channels", topic, "messages", message, "payload"));
        return new() { ["title"] = TypeWords.Name(type), ["payload"] = schema };
    }

    private static JsonNode SchemaOf(Type type, JsonMessageSerializer json)
    {
        try
        {
            return json.SchemaOf(type);
        }
        catch (NotSupportedException refusal)
        {
            // Another serializer carries it.
            return new JsonObject { ["description"] = $"There is no schema: {refusal.Message}" };
        }
    }

    // References are relative to the schema, which stands inside the document.
    private static void Rebase(JsonNode? node, string root)
    {
        switch (node)
        {
            case JsonObject schema:
                foreach (var (name, value) in schema.ToArray())
                {
                    if (name == "$ref" && value is JsonValue text && text.TryGetValue(out string? target) && target.StartsWith('#'))
                    {
                        schema[name] = root + target[1..];
                    }
                    else
                    {
                        Rebase(value, root);
                    }
                }

                break;
            case JsonArray list:
                foreach (var item in list)
                {
                    Rebase(item, root);
                }

                break;
        }
    }

    private static JsonObject Reference(params string[] path) => new() { ["$ref"] = Pointer(path) };

    private static string Pointer(params string[] path) =>
        "#" + string.Concat(path.Select(part => $"/{Escaped(part)}"));

    private static string Escaped(string part) =>
        part.Replace("~", "~0", StringComparison.Ordinal).Replace("/", "~1", StringComparison.Ordinal);
}
