using NUnit.Framework;

namespace ServiceMesh.Http.Tests;

/// <summary>The one table of what an answer says, for the bus and for HttpClients.</summary>
public sealed class VerdictTests
{
    [TestCase(200, false, "Answered")]
    [TestCase(404, false, "Answered")]
    [TestCase(429, false, "Broken")]
    [TestCase(500, false, "Broken, against")]
    [TestCase(502, false, "Broken, against")]
    [TestCase(503, false, "Broken, against")]
    [TestCase(504, false, "Broken, against")]
    [TestCase(429, true, "Broken")]
    [TestCase(499, true, "Answered")]
    [TestCase(500, true, "Answered")]
    [TestCase(503, true, "Broken")]
    public void Of_a_node_and_of_any_other_server(int status, bool isFromNode, string expected) =>
        Assert.That(Said(Verdict.On(status, isFromNode, isNotProcessed: false, null)), Is.EqualTo(expected));

    [TestCase(404, "Declined")]
    [TestCase(429, "Declined")]
    [TestCase(503, "Declined")]
    [TestCase(413, "Answered")]
    public void What_was_not_processed_is_nobodys_failure(int status, string expected) =>
        Assert.That(Said(Verdict.On(status, isFromNode: true, isNotProcessed: true, null)), Is.EqualTo(expected));

    [Test]
    public void It_remembers_how_long_to_leave_the_server_alone([Values] bool isNotProcessed) =>
        Assert.That(Verdict.On(503, isFromNode: false, isNotProcessed, TimeSpan.FromSeconds(3)).RetryAfter, Is.EqualTo(TimeSpan.FromSeconds(3)));

    // A proxy may know the header and not be a node.
    [TestCase(503, false, false, true)]
    [TestCase(503, true, false, false)]
    [TestCase(503, false, true, false)]
    [TestCase(500, true, false, false)]
    [TestCase(429, false, false, false)]
    public void Ejection_judges_an_answer_as_the_verdict_does(int status, bool isNotProcessed, bool isFromNode, bool isAgainst)
    {
        using var group = new TestedGroup(3, o => (o.ConsecutiveFailures, o.MaxEjected) = (1, 1));
        using var connections = new Connections(new(), TimeProvider.System, new Random(1));
        using var response = new HttpResponseMessage((System.Net.HttpStatusCode)status);
        if (isNotProcessed)
        {
            response.Headers.Add(MeshHeader.NotProcessed, "1");
        }

        if (isFromNode)
        {
            response.Headers.Add(MeshHeader.Status, "503");
        }

        connections.Learn(group.All[0], response, TimeSpan.FromMilliseconds(1));

        Assert.That(group.All[0].IsEjected, Is.EqualTo(isAgainst));
        Assert.That(Verdict.On(status, isFromNode, isNotProcessed, null).IsAgainstEndpoint, Is.EqualTo(isAgainst));
    }

    private static string Said(Verdict verdict) => $"{verdict.Result}{(verdict.IsAgainstEndpoint ? ", against" : "")}";
}
