using System.Diagnostics;

namespace ServiceMesh.Samples.Tests;

/// <summary>The same count by grep, sort and uniq, with which WordCount must agree.</summary>
internal static class Coreutils
{
    private const string Script =
        """
        stopwords=$1; shift
        grep -ahoE '[A-Za-z0-9_]+' -- "$@" | grep -vxF -f "$stopwords" > "$WORDS"
        for length in 3 4 5; do
          grep -xE ".{$length}" "$WORDS" | sort | uniq -c | sort -k1,1nr -k2,2 | awk -v length_of_words=$length '
            NR == 1 { most = $1 }
            $1 == most { words = words (words == "" ? " " : ", ") $2 }
            END { printf "%d letters, %d times:%s\n", length_of_words, most, words }'
        done
        """;

    public static async Task<string[]> CountAsync(params IEnumerable<string> files)
    {
        var words = Path.GetTempFileName();
        try
        {
            var stopWords = Path.Combine(SampleProcess.OutputOf("WordCount"), "stopwords.txt");
            using var shell = Process.Start(new ProcessStartInfo("bash", ["-c", Script, "count", stopWords, .. files])
            {
                RedirectStandardOutput = true,
                Environment = { ["LC_ALL"] = "C", ["WORDS"] = words },
            })!;
            var printed = await shell.StandardOutput.ReadToEndAsync();
            await shell.WaitForExitAsync();
            Assert.That(shell.ExitCode, Is.Zero);
            return printed.TrimEnd('\n').Split('\n');
        }
        finally
        {
            File.Delete(words);
        }
    }
}
