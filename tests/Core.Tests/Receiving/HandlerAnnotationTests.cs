using NUnit.Framework;

namespace ServiceMesh.Core.Tests;

public sealed class HandlerAnnotationTests
{
    [Test]
    public void A_parameter_that_must_not_be_null_is_recognized()
    {
        Assert.That(ForbidsNull<string>((text, _) => text), Is.True);
        Assert.That(ForbidsNull<string?>((text, _) => text ?? ""), Is.False);
        Assert.That(ForbidsNull<string>(Named), Is.True);
        Assert.That(ForbidsNull<string?>(Nullable), Is.False);
        Assert.That(ForbidsNull<int?>((_, _) => ""), Is.False);
        Assert.That(ForbidsNull<int>((_, _) => ""), Is.False);
        Assert.That(ForbidsNull<string>("prefix".Extended), Is.True, "closed over another parameter");
        Assert.That(HandlerAnnotation.ForbidsNull(typeof(ExtendedText).GetMethod(nameof(ExtendedText.Unknown))), Is.False, "not known");
        Func<bool> within = () => ForbidsNull<Reading>((reading, _) => reading.City);
        Assert.That(within(), Is.True, "the compiler may write no annotation here");
        within = () => ForbidsNull<string>((string text, HandlerContext _) => text);
        Assert.That(within(), Is.True, "a parameter with its type carries the annotation");
        within = () => ForbidsNull<string?>((string? text, HandlerContext _) => text ?? "");
        Assert.That(within(), Is.False, "and here it does");
        Assert.That(HandlerAnnotation.ForbidsNull(null), Is.False);
    }

    private static bool ForbidsNull<T>(Func<T, HandlerContext, string> handler) => HandlerAnnotation.ForbidsNull(handler.Method);

    private static string Named(string text, HandlerContext context) => text;

    private static string Nullable(string? text, HandlerContext context) => text ?? "";
}

internal static class ExtendedText
{
    public static string Extended(this string prefix, string text, HandlerContext context) => prefix + text;

#nullable disable
    public static string Unknown(string text, HandlerContext context) => text;
#nullable restore
}
