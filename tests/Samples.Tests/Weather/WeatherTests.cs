using System.Globalization;
using System.Text.Json;
using ServiceMesh.Samples.Weather;

namespace ServiceMesh.Samples.Tests.Weather;

public sealed class WeatherTests
{
    [TestCase("pune")]
    [TestCase("São Paulo")]
    public async Task The_table_agrees_with_an_independent_search(string city)
    {
        var expected = new List<string>();
        foreach (var month in (string[])["jan", "feb"])
        {
            Reading? coldest = null, warmest = null;
            foreach (var reading in Climate.YearOf(city))
            {
                if (reading.Month == month)
                {
                    coldest = coldest is null || reading.Degrees < coldest.Degrees ? reading : coldest;
                    warmest = warmest is null || reading.Degrees > warmest.Degrees ? reading : warmest;
                }
            }

            expected.Add($"{month} {Words(coldest!)} {Words(warmest!)}");
        }

        var run = await SampleProcess.RunAsync("Weather", city);

        Assert.That(run.ExitCode, Is.Zero, run.ToString);
        Assert.That(run.Error, Is.Empty);
        Assert.That(run.Out[0], Is.EqualTo($"Winter of {city}"));
        Assert.That(run.Out[1..].Select(InSingleSpaces), Is.EqualTo((string[])["month coldest warmest", .. expected]));
    }

    [Test]
    public void A_year_has_a_reading_for_each_hour_and_is_the_same_every_time()
    {
        var year = Climate.YearOf("pune");

        Assert.That(year, Is.EqualTo(Climate.YearOf("pune")));
        Assert.That(year, Is.Not.EqualTo(Climate.YearOf("oslo")));
        Assert.That(year.Select(r => (r.Month, r.Day, r.Hour)).Distinct().Count(), Is.EqualTo(365 * 24));
        Assert.That(year.Select(r => r.Month).Distinct(), Is.EqualTo(
            ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]));
        Assert.That(year.Select(r => r.Degrees), Is.All.InRange(-20, 50));
    }

    [Test]
    public void Readings_have_the_names_of_the_contract_in_JSON_and_whole_degrees() =>
        Assert.That(
            JsonSerializer.Serialize([new Reading(31, "jan", 23, -2)], WeatherJson.Default.ReadingArray),
            Is.EqualTo("""[{"Day":31,"Month":"jan","Hour":23,"Degrees":-2}]"""));

    [Test]
    public void The_client_is_a_composition_that_contains_compositions() =>
        Assert.That(Extremes.OfWinter.ToString(), Is.EqualTo(
            "weather.fetch | weather.group | parallel("
            + "january | parallel(weather.min, weather.max), february | parallel(weather.min, weather.max))"));

    [Test]
    public async Task A_client_without_a_server_reports_the_missing_handler_in_one_line()
    {
        var run = await SampleProcess.RunAsync("Weather", "--Role", "Client");

        Assert.That(run.ExitCode, Is.EqualTo(1), run.ToString);
        Assert.That(run.OnlyError, Does.Contain("No node handles 'weather.fetch'"));
    }

    [Test]
    public async Task A_server_stops_cleanly_when_it_is_terminated()
    {
        using var server = SampleProcess.Start("Weather", ["--Role", "Server"]);
        await server.WaitForErrorLineAsync("serves");
        await server.TerminateAsync();

        Assert.That((await server.EndAsync()).ExitCode, Is.Zero);
    }

    [Test]
    public async Task A_mistake_in_the_configuration_is_reported_in_one_line()
    {
        var run = await SampleProcess.RunAsync("Weather", "--ServiceMesh:ErrorPolicy", "Shout");

        Assert.That(run.ExitCode, Is.EqualTo(2), run.ToString);
        Assert.That(run.OnlyError, Does.Contain("ErrorPolicy"));
    }

    private static string Words(Reading r) =>
        string.Create(CultureInfo.InvariantCulture, $"{r.Degrees} C on {r.Day} {r.Month} {r.Hour:00}:00");

    private static string InSingleSpaces(string line) => string.Join(' ', line.Split(' ', StringSplitOptions.RemoveEmptyEntries));
}
