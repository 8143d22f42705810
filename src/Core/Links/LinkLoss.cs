namespace ServiceMesh.Links;

/// <summary>Something that arrived and could not be used, or that could not be sent back.</summary>
/// <param name="Reason">A short constant: the tag of a metric.</param>
/// <param name="Sender">The id of the node that sent it, or <c>unknown</c>.</param>
/// <param name="Topic">What it was about, as far as that is known.</param>
/// <param name="Detail">A sentence for the log; never a body.</param>
internal readonly record struct LinkLoss(string Reason, string Sender, string Topic, string Detail);
