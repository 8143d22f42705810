using System.Reflection;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;
using NUnit.Framework;
using ServiceMesh.Support;

namespace ServiceMesh.Core.Tests;

public sealed class OptionsTests
{
    [TestCase("DrainTimeout", "-00:00:01", "00:00:00 to 1.00:00:00")]
    [TestCase("DrainTimeout", "1.00:00:01", "00:00:00 to 1.00:00:00")]
    [TestCase("Request:Timeout", "00:00:00", "00:00:00.001 to 1.00:00:00")]
    [TestCase("Request:Timeout", "1.00:00:01", "00:00:00.001 to 1.00:00:00")]
    [TestCase("Request:MaxBodyBytes", "0", "1 to 1073741824")]
    [TestCase("Request:MaxBodyBytes", "1073741825", "1 to 1073741824")]
    [TestCase("Handler:Timeout", "00:00:00", "00:00:00.001 to 1.00:00:00")]
    [TestCase("Handler:MaxConcurrency", "0", "1 to 1000000")]
    [TestCase("Handler:MaxConcurrency", "1000001", "1 to 1000000")]
    [TestCase("Handler:MaxQueued", "-1", "0 to 1000000")]
    [TestCase("Handler:MaxQueued", "1000001", "0 to 1000000")]
    [TestCase("Errors:MaxDataBytes", "-1", "0 to 1048576")]
    [TestCase("Errors:MaxDataBytes", "1048577", "0 to 1048576")]
    [TestCase("Errors:QueueCapacity", "0", "1 to 1000000")]
    [TestCase("ErrorPolicy", "7", "Publish, Queue, Ignore")]
    [TestCase("Contracts", "7", "Compatible, Exact")]
    public async Task A_value_outside_its_range_is_refused_at_start_with_key_value_and_range(string key, string value, string range)
    {
        var message = await FailureAsync((key, value));
        Assert.That(message, Does.Contain($"ServiceMesh:{key} is {value}").And.Contains(range));
    }

    [TestCase("DrainTimeout", "00:00:00")]
    [TestCase("DrainTimeout", "1.00:00:00")]
    [TestCase("Request:Timeout", "00:00:00.001")]
    [TestCase("Request:Timeout", "1.00:00:00")]
    [TestCase("Request:MaxBodyBytes", "1")]
    [TestCase("Request:MaxBodyBytes", "1073741824")]
    [TestCase("Handler:Timeout", "1.00:00:00")]
    [TestCase("Handler:MaxConcurrency", "1")]
    [TestCase("Handler:MaxConcurrency", "1000000")]
    [TestCase("Handler:MaxQueued", "0")]
    [TestCase("Errors:MaxDataBytes", "0")]
    [TestCase("Errors:QueueCapacity", "1")]
    [TestCase("Transport", "inmemory")]
    [TestCase("Serializer", "JSON")]
    [TestCase("ErrorPolicy", "queue")]
    [TestCase("Contracts", "exact")]
    public async Task The_ends_of_each_range_and_any_case_of_a_name_are_allowed(string key, string value)
    {
        await using var node = await TestNode.StartAsync(
            bus => bus.AddInMemoryTransport(), [("Errors:QueueFile", TempFile.Path()), (key, value)]);
        Assert.That(node.Bus.DescribeNode().IsDraining, Is.False);
    }

    [TestCase("Handler:MaxQueued", "many", "ServiceMesh:Handler:MaxQueued")]
    [TestCase("Request:Timeout", "soon", "00:00:30")]
    [TestCase("ErrorPolicy", "Shout", "Publish, Queue, Ignore")]
    [TestCase("Contracts", "Strict", "Compatible, Exact")]
    public async Task A_value_that_cannot_be_read_is_refused_with_its_key_and_an_example(string key, string value, string expected) =>
        Assert.That(await FailureAsync((key, value)), Does.Contain($"ServiceMesh:{key}").And.Contains(value).And.Contains(expected));

    [TestCase("Request:Timeout", "5", "ServiceMesh:Request:Timeout is '5', which is 5 days. Did you mean 00:00:05?")]
    [TestCase("Handler:Timeout", "1", "ServiceMesh:Handler:Timeout is '1', which is 1 days. Did you mean 00:00:01?")]
    [TestCase("DrainTimeout", " 90 ", "ServiceMesh:DrainTimeout is ' 90 ', which is 90 days. Did you mean 00:01:30?")]
    [TestCase("ErrorPolicy", "Publish, Queue", "ErrorPolicy is 'Publish, Queue', which are several values. Choose one of Publish, Queue")]
    [TestCase("Errors:Details", "None,Message", "ServiceMesh:Errors:Details is 'None,Message', which are several values")]
    public async Task A_text_that_would_be_misread_is_refused_once_with_what_was_meant(string key, string value, string expected)
    {
        var message = await FailureAsync((key, value));

        Assert.That(message, Does.Contain(expected));
        Assert.That(message.Split($"ServiceMesh:{key} is"), Has.Length.EqualTo(2), message);
    }

    [TestCase("DrainTimeout", "0")]
    [TestCase("DrainTimeout", "1.00:00:00")]
    [TestCase("Request:Timeout", "0:5")]
    public async Task A_time_that_is_written_in_full_is_not_questioned(string key, string value)
    {
        await using var node = await TestNode.StartAsync(bus => bus.AddInMemoryTransport(), [(key, value)]);
        Assert.That(node.Bus.DescribeNode().IsDraining, Is.False);
    }

    [TestCase("Handler:MaxConcurency", "ServiceMesh:Handler:MaxConcurency is not a known key", "Did you mean 'MaxConcurrency'?")]
    [TestCase("Tranport", "ServiceMesh:Tranport", "Did you mean 'Transport'?")]
    [TestCase("Requests:Timeout", "ServiceMesh:Requests", "Did you mean 'Request'?")]
    [TestCase("request:TIMOUT", "TIMOUT", "Did you mean 'Timeout'?")]
    [TestCase("SomethingElse", "ServiceMesh:SomethingElse", "Known here are: Transport, NodeName")]
    [TestCase("Redis:Configuration", "ServiceMesh:Redis", "AddRedisTransport()")]
    [TestCase("Handler:Timeout:Seconds", "ServiceMesh:Handler:Timeout", "no keys below")]
    [TestCase("Request", "ServiceMesh:Request is a section", "Timeout, MaxBodyBytes")]
    public async Task An_unknown_key_is_refused_at_start_with_its_path_and_the_nearest_known_one(
        string key, string path, string expected) =>
        Assert.That(await FailureAsync((key, "5")), Does.Contain(path).And.Contains(expected));

    [TestCase("Transport", "InMemry", "Did you mean 'InMemory'?")]
    [TestCase("Transport", "Redis", "AddRedisTransport()")]
    [TestCase("Serializer", "Protobuf", "AddSerializer")]
    [TestCase("Serializer", "MessagePack", "call AddMessagePackSerializer() after AddServiceMesh(…)")]
    [TestCase("Serializer", "mesagepack", "'MessagePack' is in the package ServiceMesh.MessagePack")]
    [TestCase("Serializer", "Jsn", "Did you mean 'Json'?")]
    public async Task An_unknown_name_is_refused_at_start_with_the_known_names(string key, string value, string expected) =>
        Assert.That(
            await FailureAsync((key, value)),
            Does.Contain($"ServiceMesh:{key} is '{value}'")
                .And.Contains("allowed here are: " + (key == "Transport" ? "InMemory" : "Json"))
                .And.Contains(expected));

    [Test]
    public async Task All_errors_are_reported_at_once()
    {
        var message = await FailureAsync(("Handler:MaxQueued", "-1"), ("Request:MaxBodyBytes", "0"), ("Tranport", "x"), ("NodeName", ""));
        Assert.That(
            message, Does.Contain("MaxQueued").And.Contains("MaxBodyBytes").And.Contains("Tranport").And.Contains("NodeName is empty"));
    }

    [Test]
    public void Options_set_in_code_are_checked_together_with_the_configuration() =>
        Assert.That(
            async () => await TestNode.StartAsync(bus => bus.AddInMemoryTransport().Configure(o => o.Handler.MaxQueued = -5)),
            Throws.TypeOf<OptionsValidationException>().With.Message.Contains("ServiceMesh:Handler:MaxQueued is -5"));

    [Test]
    public async Task Keys_of_an_added_transport_are_known_and_a_star_allows_any_name()
    {
        static void Add(IServiceMeshBuilder bus) =>
            bus.AddInMemoryTransport().AddTransport(new("Other", ["Listen", "Services:*:Address"], _ => new ScriptedTransport()));
        await using (await TestNode.StartAsync(Add, [("Other:Listen", "x"), ("Other:Services:weather:Address", "y")]))
        {
        }

        Assert.That(
            async () => await TestNode.StartAsync(Add, [("Other:Services:weather:Adress", "y")]),
            Throws.TypeOf<OptionsValidationException>()
                .With.Message.Contains("ServiceMesh:Other:Services:weather:Adress")
                .And.Message.Contains("'Address'"));
    }

    [Test]
    public void The_known_keys_are_the_properties_of_the_options()
    {
        Assert.That(ServiceMeshOptions.Schema.Keys, Is.EquivalentTo(Keys(typeof(ServiceMeshOptions))));

        static IEnumerable<string> Keys(Type type) => type.GetProperties(BindingFlags.Public | BindingFlags.Instance).SelectMany(p =>
            p.PropertyType.Namespace == "ServiceMesh" && p.PropertyType.IsClass
                ? Keys(p.PropertyType).Select(k => $"{p.Name}:{k}")
                : [p.Name]);
    }

    [Test]
    public void Every_key_has_an_effect_on_the_options()
    {
        // Generated code binds the configuration: each key must really reach its property.
        foreach (var key in ServiceMeshOptions.Schema.Keys)
        {
            var path = key.Split(':');
            var leaf = path.Aggregate(typeof(ServiceMeshOptions), (type, name) => type.GetProperty(name)!.PropertyType);
            var value = leaf == typeof(TimeSpan) ? "00:01:07"
                : leaf == typeof(int) ? "77"
                : leaf == typeof(ErrorPolicy) ? "Ignore"
                : leaf == typeof(ErrorDetails?) ? "None"
                : leaf == typeof(bool) ? "True"
                : leaf == typeof(ContractMatching) ? "Exact"
                : "text";
            var options = Bound(key, value);
            var bound = path.Aggregate((object?)options, (target, name) => target!.GetType().GetProperty(name)!.GetValue(target));
            Assert.That($"{bound}", Is.EqualTo(value), key);
        }
    }

    private static ServiceMeshOptions Bound(string key, string value)
    {
        var section = new ConfigurationBuilder().AddInMemoryCollection([new(key, value)]);
        var services = new ServiceCollection();
        services.AddServiceMesh(section.Build()).AddTransport(new("text", [], _ => new ScriptedTransport())).AddInMemoryTransport();
        services.RemoveAll<IValidateOptions<ServiceMeshOptions>>();
        using var provider = services.BuildServiceProvider();
        return provider.GetRequiredService<IOptionsMonitor<ServiceMeshOptions>>().Get("");
    }

    private static async Task<string> FailureAsync(params (string, string)[] settings) =>
        (await Assert.CatchAsync<Exception>(() => TestNode.StartAsync(bus => bus.AddInMemoryTransport(), settings).Soon()))!.Message;
}
