namespace ServiceMesh.Links;

/// <summary>What became of one copy of a signal at the node that it was sent to.</summary>
/// <param name="Receivers">How many subscriptions took it.</param>
/// <param name="Refusal">Why none of them may or can take it; null when that is not so.</param>
internal readonly record struct SignalOutcome(int Receivers, ReplyMessage? Refusal = null);
