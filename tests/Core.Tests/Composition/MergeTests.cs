using System.Text.Json.Nodes;
using Microsoft.Extensions.DependencyInjection;
using NUnit.Framework;
using ServiceMesh.Support;

namespace ServiceMesh.Core.Tests;

public sealed class MergeTests
{
    private static readonly Composition<Query, Query> s_query = Compose.Lambda((Query q) => q);
    private static readonly Composition<Dictionary<string, int>, Dictionary<string, int>> s_dictionary =
        Compose.Lambda((Dictionary<string, int> d) => d);
    private static readonly RequestTopic<JsonObject, JsonObject> s_json = new("merge.json");

    [Test]
    public async Task A_record_is_merged_by_a_changed_copy()
    {
        await using var node = await StartAsync();
        var input = new Query("pune", "F");
        Assert.That(
            await node.Bus.ExecuteAsync(s_query.Merge(q => q with { Unit = "C" }), input).Soon(), Is.EqualTo(new Query("pune", "C")));
        Assert.That(input.Unit, Is.EqualTo("F"));
    }

    [Test]
    public async Task Fixed_entries_replace_those_of_a_copy_of_the_input_dictionary()
    {
        await using var node = await StartAsync();
        var fixedValues = new Dictionary<string, int> { ["b"] = 20, ["c"] = 30 };
        var form = s_dictionary.Merge(fixedValues);
        fixedValues["b"] = -1;
        var input = new Dictionary<string, int> { ["a"] = 1, ["b"] = 2 };
        var merged = await node.Bus.ExecuteAsync(form, input).Soon();
        Assert.That(merged, Is.EquivalentTo(new Dictionary<string, int> { ["a"] = 1, ["b"] = 20, ["c"] = 30 }));
        Assert.That(input, Is.EquivalentTo(new Dictionary<string, int> { ["a"] = 1, ["b"] = 2 }));
    }

    [Test]
    public async Task A_merged_dictionary_keeps_the_comparer_of_the_input()
    {
        await using var node = await StartAsync();
        var input = new Dictionary<string, int>(StringComparer.OrdinalIgnoreCase) { ["UNIT"] = 1 };
        var merged = await node.Bus.ExecuteAsync(s_dictionary.Merge(new Dictionary<string, int> { ["unit"] = 2 }), input).Soon();
        Assert.That(merged, Has.Count.EqualTo(1));
        Assert.That(merged["Unit"], Is.EqualTo(2));
    }

    [Test]
    public async Task Fixed_members_replace_those_of_a_copy_of_the_input_object()
    {
        await using var node = await StartAsync();
        var fixedValues = new JsonObject { ["unit"] = "C", ["deep"] = new JsonObject { ["x"] = 1 }, ["none"] = null };
        var form = s_json.Merge(fixedValues);
        fixedValues["unit"] = "changed later";
        var input = new JsonObject { ["city"] = "pune", ["unit"] = "F" };
        for (var i = 0; i < 2; i++)
        {
            var merged = await node.Bus.ExecuteAsync(form, input).Soon();
            Assert.That(merged.ToJsonString(), Is.EqualTo("""{"city":"pune","unit":"C","deep":{"x":1},"none":null}"""));
        }

        Assert.That(input.ToJsonString(), Is.EqualTo("""{"city":"pune","unit":"F"}"""));
    }

    [Test]
    public async Task Merging_into_null_gives_the_fixed_entries_alone()
    {
        await using var node = await StartAsync();
        var dictionary = await node.Bus.ExecuteAsync(s_dictionary.Merge(new Dictionary<string, int> { ["b"] = 2 }), null!).Soon();
        Assert.That(dictionary, Is.EquivalentTo(new Dictionary<string, int> { ["b"] = 2 }));
        var json = await node.Bus.ExecuteAsync(s_json.Merge(new JsonObject { ["b"] = 2 }), null!).Soon();
        Assert.That(json.ToJsonString(), Is.EqualTo("""{"b":2}"""));
    }

    [Test]
    public async Task One_merged_object_serves_many_executions_at_once()
    {
        await using var node = await StartAsync();
        var form = s_json.Merge(JsonNode.Parse("""{"unit":"C","deep":{"x":[1,2,3]}}""")!.AsObject());
        var input = JsonNode.Parse("""{"city":"pune","list":[1,{"a":2}]}""")!.AsObject();
        var all = await Task.WhenAll(Enumerable.Range(0, 500).Select(_ => Task.Run(() => node.Bus.ExecuteAsync(form, input)))).Soon();
        Assert.That(
            all.Select(m => m.ToJsonString()), Has.All.EqualTo("""{"city":"pune","list":[1,{"a":2}],"unit":"C","deep":{"x":[1,2,3]}}"""));
    }

    [Test]
    public async Task A_merge_that_throws_is_500_with_the_exception_and_the_step_does_not_run()
    {
        await using var node = await StartAsync();
        var form = Compose.Lambda((Query q) => q.City.Length >= 0 ? throw new AssertionException("ran") : 0)
            .Merge(_ => throw new InvalidTimeZoneException());
        var reply = await node.Bus.TryExecuteAsync(form, new Query("", "")).Soon();
        Assert.That(reply.Status, Is.EqualTo(StatusCode.HandlerFailed));
        Assert.That(reply.Failure!.Exception, Is.TypeOf<InvalidTimeZoneException>());
        Assert.That(reply.Failure.Step, Does.StartWith("merge("));
    }

    [Test]
    public async Task In_a_parallel_each_branch_has_its_own_merge_of_the_same_input()
    {
        await using var node = await StartAsync();
        var form = Compose.Parallel(s_query.Merge(q => q with { Unit = "C" }), s_query, s_query.Merge(q => q with { City = "goa" }));
        Assert.That(
            await node.Bus.ExecuteAsync(form, new Query("pune", "F")).Soon(),
            Is.EqualTo(new[] { new Query("pune", "C"), new Query("pune", "F"), new Query("goa", "F") }));
    }

    private static Task<TestNode> StartAsync() =>
        TestNode.StartAsync(bus => bus.AddInMemoryTransport().AddHandler(s_json, (input, _) => input));

    internal sealed record Query(string City, string Unit);
}
