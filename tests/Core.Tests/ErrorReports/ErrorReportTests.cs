using System.Text;
using FsCheck;
using FsCheck.Fluent;
using NUnit.Framework;

namespace ServiceMesh.Core.Tests;

public sealed class ErrorReportTests
{
    [TestCase("abc", 3, "abc")]
    [TestCase("abc", 2, "ab")]
    [TestCase("abc", 0, "")]
    [TestCase("", 0, "")]
    [TestCase("aé", 3, "aé")]
    [TestCase("aé", 2, "a")]
    [TestCase("a世", 3, "a")]
    [TestCase("a世", 2, "a")]
    [TestCase("a🌍b", 5, "a🌍")]
    [TestCase("a🌍b", 4, "a")]
    [TestCase("🌍", 3, "")]
    public void Text_is_cut_at_a_character_boundary(string body, int bytes, string kept) =>
        Assert.That(ErrorReport.Excerpt(Encoding.UTF8.GetBytes(body), bytes), Is.EqualTo((kept, "utf-8")));

    [Test]
    public void A_body_that_is_not_text_is_kept_as_base64_up_to_the_exact_limit()
    {
        byte[] body = [0x61, 0xFF, 0x80, 0x80, 0x80, 0x80, 0x80];
        Assert.That(ErrorReport.Excerpt(body, 7), Is.EqualTo((Convert.ToBase64String(body), "base64")));
        Assert.That(ErrorReport.Excerpt(body, 6), Is.EqualTo((Convert.ToBase64String(body.AsSpan(0, 6)), "base64")));
        Assert.That(ErrorReport.Excerpt(body, 1), Is.EqualTo(("a", "utf-8")), "the part that is kept is text");
    }

    [Test]
    public void A_body_is_kept_up_to_the_limit_or_the_last_whole_character() =>
        Check.One(TopicGenerators.Seeded.WithMaxTest(3000), Prop.ForAll(
            Gen.OneOf(
                Gen.Choose(0, 255).Select(b => (byte)b).ArrayOf(),
                Gen.Elements("a", "é", "世", "🌍").ArrayOf().Select(parts => Encoding.UTF8.GetBytes(string.Concat(parts)))).ToArbitrary(),
            Gen.Choose(0, 40).ToArbitrary(),
            (body, max) =>
            {
                var (data, encoding) = ErrorReport.Excerpt(body, max);
                var kept = encoding == "base64" ? Convert.FromBase64String(data) : Encoding.UTF8.GetBytes(data);
                var limit = Math.Min(body.Length, max);
                return body.AsSpan().StartsWith(kept) && kept.Length <= limit && kept.Length > limit - 4;
            }));

    [Test]
    public void A_long_exception_is_cut_and_marked_as_cut()
    {
        var text = ExceptionText.Full(new InvalidOperationException(new string('x', 10_000)))!;
        Assert.That(text, Has.Length.EqualTo(ExceptionText.MaxFull + 1));
        Assert.That(text, Does.EndWith("…"));
        Assert.That(ExceptionText.Full(null), Is.Null);
    }
}
