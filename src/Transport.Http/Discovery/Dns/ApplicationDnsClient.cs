using DnsClient;

namespace ServiceMesh.Http;

/// <summary>The client that the application registered: it has its own servers, timeouts, retries and cache.</summary>
/// <param name="client">The client.</param>
/// <param name="clock">The clock for the bound on its answers.</param>
internal sealed class ApplicationDnsClient(ILookupClient client, TimeProvider clock) : IDnsClient
{
    // It may be set to wait for ever.
    private static readonly TimeSpan s_longest = TimeSpan.FromSeconds(30);

    public async Task<DnsReply> AskAsync(DnsQuestion question, ResolvConf conf, CancellationToken cancellationToken)
    {
        try
        {
            var response = await client.QueryAsync(question, cancellationToken)
                .WaitAsync(s_longest, clock, cancellationToken).ConfigureAwait(false);
            return DnsReply.WhyNone(response, question) is { } reason ? throw Failed(reason) : DnsReply.Of(response);
        }
        catch (DnsResponseException none) when (none.Code == DnsResponseCode.NotExistentDomain)
        {
            return DnsReply.NoSuchName; // its ThrowDnsErrors is on
        }
#pragma warning disable CA1031 // User code that reads bytes from outside: whatever it throws, the question has not been answered.
        catch (Exception failure) when (failure is not DnsLookupException)
#pragma warning restore CA1031
        {
            cancellationToken.ThrowIfCancellationRequested();
            throw Failed(DnsReply.ReasonOf(failure), failure);
        }

        DnsLookupException Failed(string reason, Exception? cause = null) =>
            new($"The application's DNS client has no answer to {question.QuestionType} {question.QueryName.Value}: it {reason}.", cause);
    }
}
