using NUnit.Framework;

namespace ServiceMesh.Core.Tests;

public sealed class OperatorTests
{
    [Test]
    public void The_bar_keeps_the_types_of_both_ends()
    {
        // The test is that these lines compile: each variable has the type that the operator must infer.
        Composition<int, string> intToText = Steps.Add1 | Steps.Text;
        Composition<int, int> intToInt = intToText | Steps.Length;
        Composition<string, string> textToText = Steps.Length | Steps.Double | Steps.Text;
        Composition<int, int[]> many = Steps.Add1 | Compose.Parallel(Steps.Add1, Steps.Double);
        Composition<int, double> withLambda = Steps.Add1 | Compose.Lambda((int x) => x / 2d);
        Assert.That(new object[] { intToText, intToInt, textToText, many, withLambda }, Has.All.Not.Null);
    }

    [Test]
    public async Task The_bar_binds_from_the_left_and_means_the_same_from_the_right()
    {
        await using var node = await Steps.NodeAsync();
        foreach (var form in new[] { Steps.Add1 | Steps.Double | Steps.Add1, Steps.Add1 | (Steps.Double | Steps.Add1) })
        {
            Assert.That(await node.Bus.ExecuteAsync(form, 3).Soon(), Is.EqualTo(9));
        }
    }

    [Test]
    public void The_bar_refuses_null() =>
        Assert.That(() => Steps.Add1 | (Composition<int, int>)null!, Throws.ArgumentNullException);
}
