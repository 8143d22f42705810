using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using ServiceMesh;

namespace Snippets;

public static class Authorization
{
    private static readonly RequestTopic<string, string> s_close = new("accounts.close");

    #region policy
    public static WebApplication BuildAccounts(string[] args)
    {
        var builder = WebApplication.CreateBuilder(args);
        builder.Services.AddAuthentication().AddBearerToken();
        builder.Services.AddAuthorization(options => options.AddPolicy("staff", policy => policy.RequireRole("staff")));
        builder.Services.AddServiceMesh(builder.Configuration.GetSection("ServiceMesh"))
            .AddHttpTransport()
            .AddHandler(
                s_close, (account, context) => $"{account} was closed by {context.Caller?.Identity?.Name}",
                handler => handler.RequireAuthorization("staff"));
        var app = builder.Build();
        app.MapServiceMesh();
        return app;
    }
    #endregion
}
