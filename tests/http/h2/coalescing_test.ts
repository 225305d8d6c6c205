import { assertEquals, assertRejects } from "@std/assert";
import { test } from "node:test";
import type { BalancerFunction } from "../../../src/hosts/function_picker.ts";
import { MAX_CONCURRENT_STREAMS } from "../../../src/http/h2/frames.ts";
import type { PoolOptions } from "../../../src/pool/options.ts";
import { endScene, frameScene, type ServerConnection, settle } from "./frame_server.ts";

/** Two hosts at one machine that takes one connection, with one stream, and answers when it is told to. */
async function scene(options: Partial<PoolOptions> = {}) {
  const asked: (() => void)[] = [];
  const frames = frameScene({
    hosts: { "a.test": ["192.0.2.1"], "b.test": ["192.0.2.1"] },
    names: ["b.test"],
    maxStreams: 1,
    pool: { coalesce: true, maxConnectionsPerIp: 1, hedge: false, ...options },
    onRequest: (connection, { authority, id }) =>
      asked.push(() => connection.respond(id, 200, authority)),
  });
  const ask = async (host: string) => (await frames.pool.request(`https://${host}/`)).text();
  const first = ask("a.test");
  await settle();
  return { ...frames, asked, ask, first, connection: frames.connections[0] as ServerConnection };
}

test("Whoever waits for a place on another host's connection has it when a stream ends there", async () => {
  const { ask, asked, first, ...rest } = await scene();
  const borrowers = [ask("b.test"), ask("b.test")];
  await settle();
  assertEquals(asked.length, 1);
  // No time passes: nothing but the end of a stream can wake them.
  for (let i = 0; i < 3; i++) {
    asked[i]!();
    await settle();
  }
  assertEquals(await Promise.all([first, ...borrowers]), ["a.test", "b.test", "b.test"]);
  assertEquals(rest.connections.length, 1);
  await endScene(rest);
});

test("Whoever waits for a place on another host's connection has it when more are allowed", async () => {
  const { ask, asked, connection, first, ...rest } = await scene();
  const borrower = ask("b.test");
  await settle();
  connection.settings([[MAX_CONCURRENT_STREAMS, 2]]);
  await settle();
  assertEquals(asked.length, 2);
  for (const answer of asked) answer();
  assertEquals(await Promise.all([first, borrower]), ["a.test", "b.test"]);
  await endScene(rest);
});

test("A connection's own callers come before those who would borrow it", async () => {
  const { ask, asked, first, ...rest } = await scene();
  const order: string[] = [];
  const waiting = ["b.test", "a.test"].map(async (host) => order.push(await ask(host)));
  await settle();
  for (let i = 0; i < 3; i++) {
    asked[i]!();
    await settle();
  }
  await Promise.all([first, ...waiting]);
  assertEquals(order, ["a.test", "b.test"]);
  await endScene(rest);
});

/** Two hosts at two machines, each of which has a connection for the first host. */
async function twoMachines() {
  const addresses = ["192.0.2.1", "192.0.2.2"];
  const frames = frameScene({
    hosts: { "a.test": addresses, "b.test": addresses },
    names: ["b.test"],
    pool: { coalesce: true, balancer: "roundRobin" },
    onRequest: (connection, { id }) => connection.respond(id),
  });
  const warm = frames.pool.warm("a.test", { connections: 2 });
  await settle();
  await warm;
  const ask = async () => {
    const response = await frames.pool.request("https://b.test/");
    await response.text();
    return response.connection.ip;
  };
  return { ...frames, ask };
}

test("A host's balancer chooses the machine whose connection it borrows", async () => {
  const { ask, ...rest } = await twoMachines();
  const served = [await ask(), await ask(), await ask(), await ask()];
  assertEquals(served.sort(), ["192.0.2.1", "192.0.2.1", "192.0.2.2", "192.0.2.2"]);
  assertEquals(rest.connections.length, 2);
  await endScene(rest);
});

test("A host borrows no connection to a machine of weight 0, as long as another is good", async () => {
  for (const spare of ["192.0.2.1", "192.0.2.2"]) {
    const { ask, ...rest } = await twoMachines();
    await ask();
    rest.pool.setWeight(spare, 0);
    const served = new Set([await ask(), await ask(), await ask()]);
    assertEquals([...served].includes(spare), false);
    await endScene(rest);
  }
});

test("A balancer that throws over a connection to borrow is its caller's error", async () => {
  let isBad = false;
  const balancer: BalancerFunction = ([first]) => {
    if (isBad) throw new Error("no idea");
    return first!;
  };
  const { ask, asked, first, ...rest } = await scene({ balancer });
  const borrower = ask("b.test");
  await settle();
  isBad = true;
  const fails = assertRejects(() => borrower, Error, "no idea");
  asked[0]!();
  await settle();
  await fails;
  isBad = false;
  await first;
  await endScene(rest);
});

test("A host asks each connection once whether it may borrow it, and passes over one that is too old", async () => {
  const frames = frameScene({
    hosts: { "a.test": ["192.0.2.1"], "b.test": ["192.0.2.1"] },
    names: ["b.test"],
    pool: { coalesce: true, maxLifetimeMs: 60_000, cleanupIntervalMs: 600_000 },
    onRequest: (connection, { id }) => connection.respond(id),
  });
  const { clock, pool } = frames;
  for (const connections of [1, 2]) {
    await pool.warm("a.test", { connections });
    await pool.warm("a.test", { connections: 0 });
    clock.advance(40_000);
  }
  const asked: number[] = [];
  const [old, young] = pool.manager.getConnections("192.0.2.1");
  for (const { id, socket } of [old!, young!]) {
    const { covers } = socket;
    socket.covers = (name) => {
      asked.push(id);
      return covers!.call(socket, name);
    };
  }
  const response = await pool.request("https://b.test/");
  await response.text();
  assertEquals([response.connection.id, asked], [young!.id, [old!.id, young!.id]]);
  await endScene(frames);
});

test("A connection that a balancer would borrow for a caller whose wait it ends is free for others", async () => {
  const stop = new AbortController();
  let isBad = false;
  const balancer: BalancerFunction = ([first]) => {
    if (isBad) stop.abort(new Error("enough"));
    return first!;
  };
  const { ask, asked, first, ...rest } = await scene({ balancer });
  const { signal } = stop;
  const fails = assertRejects(() => rest.pool.request("https://b.test/", { signal }), Error);
  await settle();
  isBad = true;
  asked[0]!();
  await first;
  assertEquals((await fails).message, "enough");
  isBad = false;
  const second = ask("b.test");
  await settle();
  asked[1]!();
  assertEquals(await second, "b.test");
  assertEquals(rest.pool.stats().dials, 1);
  await endScene(rest);
});
