using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using ServiceMesh;

namespace Snippets;

#region versions
/// <summary>Version 1: callers send a name and a size.</summary>
public sealed record OrderV1(string Name, int Size);

/// <summary>Version 2 grows: what was added has a default, so that callers of version 1 are still understood.</summary>
public sealed record OrderV2(string Name, int Size, string? Note = null, int Priority = 1);

/// <summary>Version 3 breaks: callers of version 1 do not send a colour, and are refused with 400.</summary>
public sealed record OrderV3(string Name, int Size, string Colour);
#endregion

public static class EvolvingContracts
{
    #region compare
    /// <summary>For a test: fails with each breaking change when this list is not empty.</summary>
    public static IReadOnlyList<ContractChange> BreakingChanges(IHost service, string committedFile)
    {
        var committed = File.ReadAllText(committedFile);
        var current = service.Services.GetServiceMeshContracts();
        return [.. ContractDocument.Compare(committed, current).Where(change => change.IsBreaking)];
    }
    #endregion

    #region exact
    public static IServiceMeshBuilder AddStrictBus(IServiceCollection services) =>
        services.AddServiceMesh(options => options.Contracts = ContractMatching.Exact).AddInMemoryTransport();
    #endregion
}
