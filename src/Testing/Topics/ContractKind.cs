namespace ServiceMesh.Testing;

/// <summary>Whether a contract is of requests or of signals.</summary>
internal sealed class ContractKind : IContractVisitor<MessageKind>
{
    private static readonly ContractKind s_visitor = new();

    public static MessageKind Of(ITopicContract contract) => contract.Accept(s_visitor);

    public MessageKind VisitRequest<TIn, TOut>(RequestTopic<TIn, TOut> topic) => MessageKind.Request;

    public MessageKind VisitSignal<T>(SignalPattern<T> pattern) => MessageKind.Signal;
}
