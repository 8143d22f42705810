namespace ServiceMesh;

/// <summary>What the replies of several branches are together.</summary>
internal static class Outcomes
{
    /// <summary>All replies as one success; 408 with the replies when time was up before all of them had come.</summary>
    public static Reply<Reply<TOut>[]> All<TIn, TOut>(
        Composition<TIn, Reply<TOut>[]> form, TIn input, Reply<TOut>[] replies, CompositionRun run)
    {
        if (!run.Token.IsCancellationRequested)
        {
            return Reply<Reply<TOut>[]>.Success(replies);
        }

        // Not reported: the step that was interrupted has been.
        var ran = Array.Exists(replies, reply => reply.Failure is not { NotProcessed: true });
        var failure = new ReplyFailure(run.TimeIsUp(form.Name, begun: ran), notProcessed: !ran) { Parts = replies };
        return Form.Failed(form, input, failure, null, null, null);
    }

    /// <summary>Null when all succeeded; otherwise the highest status, with every reply.</summary>
    /// <param name="replies">In the order written.</param>
    /// <param name="form">What the branches belong to, in a word.</param>
    public static ReplyFailure? Failure(Reply[] replies, string form)
    {
        var failed = 0;
        var (nothingRan, mayRunAgain) = (true, true);
        Reply? worst = null;
        TimeSpan? retryAfter = null;
        foreach (var reply in replies)
        {
            if (reply.Failure is not { } failure)
            {
                nothingRan = false;
                continue;
            }

            failed++;
            nothingRan &= failure.NotProcessed;
            mayRunAgain &= failure.MayRunAgain;
            worst = worst is null || failure.Status > worst.Status ? reply : worst;

            // Another attempt succeeds when all of them do.
            retryAfter = failure.RetryAfter > retryAfter || retryAfter is null ? failure.RetryAfter ?? retryAfter : retryAfter;
        }

        if (worst is null)
        {
            return null;
        }

        var highest = worst.Failure!;
        return new(
            highest.Status, highest.Step,
            $"{failed} of {replies.Length} {form} steps failed; the highest status is that of '{highest.Step}': {highest.Message}",
            nothingRan)
        {
            RetryAfter = retryAfter,
            Exception = highest.Exception,
            Value = highest.Value,
            Parts = replies,
            IsOfHandler = highest.IsOfHandler,
            MayRunAgain = mayRunAgain,
        };
    }

    /// <summary>What the handlers set beside their answers. Of the same name, the one of the branch that is written last counts.</summary>
    public static Headers HeadersOf(Reply[] replies)
    {
        var all = Headers.Empty;
        foreach (var reply in replies)
        {
            if (reply.Headers.Count > 0)
            {
                all = all.Count == 0 ? reply.Headers : reply.Headers.Aggregate(all, (sum, one) => sum.WithTrusted(one.Key, one.Value));
            }
        }

        return all;
    }

    /// <summary>The headers of the reply with the highest status.</summary>
    public static Headers HeadersOfWorst(Reply[] replies) => replies.MaxBy(reply => reply.Status)!.Headers;

    public static StatusCode HighestStatus(Reply[] replies)
    {
        var highest = StatusCode.Ok;
        foreach (var reply in replies)
        {
            highest = reply.Status > highest ? reply.Status : highest;
        }

        return highest;
    }
}
