// The echo by moleculer over Redis, in two processes: `node echo.mjs serve|call REDIS NAMESPACE REPLICAS`. Both end when their
// input ends. All settings have their defaults, except the log, which is off, and the timeout, which equals that of the bus.
import { createInterface } from "node:readline";
import { ServiceBroker } from "moleculer";

const [, , role, redis, namespace, replicas] = process.argv;

const broker = (nodeID) =>
  new ServiceBroker({ nodeID, namespace, transporter: `redis://${redis}`, requestTimeout: 30_000, logger: false });

const say = (line) => process.stdout.write(JSON.stringify(line) + "\n");

// Each replica is a separate node with its own connections.
async function serve() {
  const nodes = Array.from({ length: Number(replicas) }, (_, i) => broker(`replica-${i}`));
  nodes.forEach((node) => node.createService({ name: "bench", actions: { echo: (context) => context.params } }));
  await Promise.all(nodes.map((node) => node.start()));
  say({ ready: true });
  for await (const _ of createInterface({ input: process.stdin })); // until it ends
  await Promise.all(nodes.map((node) => node.stop()));
}

async function call() {
  const node = broker("caller");
  await node.start();
  const isThere = () => (node.registry.actions.get("bench.echo")?.count() ?? 0) >= Number(replicas);
  while (!isThere()) {
    await new Promise((resolve) => setTimeout(resolve, 10)); // the process that reads "ready" has a limit
  }
  say({ ready: true });
  for await (const line of createInterface({ input: process.stdin })) {
    const { id, echo, measure } = JSON.parse(line);
    if (echo) {
      node.call("bench.echo", echo).then((reading) => say({ id, echo: reading }), (failure) => say({ id, error: String(failure) }));
    } else {
      measureAsync(node, measure).then((result) => say({ id, ...result }), (failure) => say({ id, error: String(failure) }));
    }
  }
  await node.stop();
}

// Each caller sends the next record when it has the answer to the one before. Latencies are in microseconds.
async function measureAsync(node, { callers, characters, seconds }) {
  const month = "j".repeat(characters);
  const latencies = [];
  const started = performance.now();
  const one = async (day) => {
    let now = performance.now();
    do {
      const echoed = await node.call("bench.echo", { month, day, degrees: -3.5 });
      const after = performance.now();
      latencies.push(Math.round((after - now) * 1000));
      now = after;
      if (echoed.day !== day) {
        throw new Error(`Caller ${day} was answered with what caller ${echoed.day} had sent.`);
      }
    } while (now - started < seconds * 1000);
  };
  await Promise.all(Array.from({ length: callers }, (_, day) => one(day)));
  return { seconds: (performance.now() - started) / 1000, latencies };
}

await (role === "serve" ? serve() : call());
