using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using NUnit.Framework;

namespace ServiceMesh.Core.Tests;

/// <summary>Handler classes and the container: which bus a class gets, and what it misses.</summary>
public sealed class HandlerClassTests
{
    private static readonly RequestTopic<int, string> s_who = new("classes.who");
    private static readonly RequestTopic<int, string> s_other = new("classes.other");

    [Test]
    public async Task A_handler_class_gets_its_own_bus_through_its_constructor()
    {
        using var host = await StartAsync((services, mesh) => mesh.AddHandler<Asking>(s_who));

        foreach (var name in (string[])["", "a", "b"])
        {
            var bus = host.Services.GetRequiredKeyedService<IServiceBus>(name);
            Assert.That(await bus.RequestAsync(s_who, 0).Soon(), Is.EqualTo(bus.DescribeNode().Id), name);
        }
    }

    [TestCase(ServiceLifetime.Singleton)]
    [TestCase(ServiceLifetime.Scoped)]
    [TestCase(ServiceLifetime.Transient)]
    public async Task A_handler_class_that_is_registered_keeps_its_lifetime_on_each_bus(ServiceLifetime lifetime)
    {
        using var host = await StartAsync((services, mesh) =>
        {
            if (mesh.Name.Length == 0)
            {
                services.Add(ServiceDescriptor.Describe(typeof(Numbered), typeof(Numbered), lifetime));
            }

            mesh.AddHandler<Numbered>(s_other);
        });

        foreach (var name in (string[])["", "a", "b"])
        {
            var bus = host.Services.GetRequiredKeyedService<IServiceBus>(name);
            var (first, second) = (await bus.RequestAsync(s_other, 0).Soon(), await bus.RequestAsync(s_other, 0).Soon());
            Assert.That(first == second, Is.EqualTo(lifetime == ServiceLifetime.Singleton), name);
        }
    }

    [Test]
    public async Task A_handler_class_that_is_registered_as_a_factory_is_made_by_the_factory()
    {
        using var host = await StartAsync((services, mesh) =>
        {
            if (mesh.Name.Length == 0)
            {
                services.AddScoped(_ => new Numbered { Number = "of the factory" });
            }

            mesh.AddHandler<Numbered>(s_other);
        });

        Assert.That(
            await host.Services.GetRequiredKeyedService<IServiceBus>("a").RequestAsync(s_other, 0).Soon(), Is.EqualTo("of the factory"));
    }

    [Test]
    public async Task A_handler_class_of_a_keyed_bus_is_disposed_after_each_message()
    {
        var disposed = new List<string>();
        using var host = await StartAsync((services, mesh) =>
        {
            if (mesh.Name == "a")
            {
                services.AddSingleton(disposed);
                mesh.AddHandler<Disposed>(s_other);
            }
        });

        await host.Services.GetRequiredKeyedService<IServiceBus>("a").RequestAsync(s_other, 0).Soon();

        await Failsafe.Until(() => disposed.Count == 1);
    }

    [TestCase("")]
    [TestCase("a")]
    public void A_missing_dependency_of_a_handler_class_fails_at_start(string name) => Assert.That(
        async () => await StartAsync((_, mesh) => (mesh.Name == name ? mesh : null)?.AddHandler<Missing>(s_who)),
        Throws.InvalidOperationException.With.Message.EqualTo(
            "The request handler Missing on 'classes.who' in group '_default' cannot be made: Missing needs IClock, which is not " +
            "registered. Register it, or change the constructor."));

    [Test]
    public void A_missing_dependency_of_a_dependency_fails_at_start_too() => Assert.That(
        async () => await StartAsync((services, mesh) =>
        {
            services.AddScoped<Repository>();
            mesh.AddHandler<NeedsRepository>(s_who);
        }),
        Throws.InvalidOperationException.With.Message.Contains("NeedsRepository on 'classes.who'")
            .And.Message.Contains("Repository needs IClock"));

    [Test]
    public async Task A_dependency_with_a_default_or_another_constructor_is_not_missing()
    {
        using var host = await StartAsync((services, mesh) => mesh.AddHandler<TwoConstructors>(s_who));

        foreach (var name in (string[])["", "a"])
        {
            var bus = host.Services.GetRequiredKeyedService<IServiceBus>(name);
            Assert.That(await bus.RequestAsync(s_who, 0).Soon(), Is.EqualTo("without a clock"));
        }
    }

    private static async Task<IHost> StartAsync(Action<IServiceCollection, IServiceMeshBuilder> configure)
    {
        var builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings());
        foreach (var name in (string[])["", "a", "b"])
        {
            configure(builder.Services, builder.Services.AddServiceMesh(name).AddInMemoryTransport());
        }

        var host = builder.Build();
        await host.StartAsync();
        return host;
    }

    internal interface IClock;

    internal sealed class Asking(IServiceBus bus) : IRequestHandler<int, string>
    {
        public Task<string> HandleAsync(int input, HandlerContext context) =>
            Task.FromResult(ReferenceEquals(bus, context.Bus) ? bus.DescribeNode().Id : "another bus");
    }

    internal sealed class Numbered : IRequestHandler<int, string>
    {
        public string Number { get; init; } = Guid.NewGuid().ToString();

        public Task<string> HandleAsync(int input, HandlerContext context) => Task.FromResult(Number);
    }

    internal sealed class Disposed(List<string> disposed) : IRequestHandler<int, string>, IDisposable
    {
        public Task<string> HandleAsync(int input, HandlerContext context) => Task.FromResult("");

        public void Dispose() => disposed.Add("");
    }

    internal sealed class Missing(IClock clock) : IRequestHandler<int, string>
    {
        public Task<string> HandleAsync(int input, HandlerContext context) => Task.FromResult($"{clock}");
    }

    internal sealed class Repository(IClock clock)
    {
        public override string ToString() => $"{clock}";
    }

    internal sealed class NeedsRepository(Repository repository) : IRequestHandler<int, string>
    {
        public Task<string> HandleAsync(int input, HandlerContext context) => Task.FromResult($"{repository}");
    }

    internal sealed class TwoConstructors : IRequestHandler<int, string>
    {
        private readonly string _answer;

        public TwoConstructors(IServiceBus bus, string? suffix = null) => _answer = $"without a clock{suffix}{(bus is null ? "!" : "")}";

        public TwoConstructors(IServiceBus bus, IClock clock) => _answer = $"{bus}{clock}";

        public Task<string> HandleAsync(int input, HandlerContext context) => Task.FromResult(_answer);
    }
}
