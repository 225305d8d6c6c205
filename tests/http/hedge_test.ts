/**
 * What happens when a machine falls silent in mid-request, on a clock that the test moves.
 *
 * @module
 */

import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { test } from "node:test";
import { memoryDialer, type MemorySocket } from "../../adapters/memory.ts";
import { ManualClock } from "../../src/core/clock.ts";
import { RequestError } from "../../src/core/errors.ts";
import { staticResolver } from "../../src/hosts/resolver.ts";
import type { HttpPoolOptions } from "../../src/http/http_options.ts";
import { HttpPool } from "../../src/http/http_pool.ts";
import type { RequestOptions } from "../../src/http/request_options.ts";
import type { PooledResponse } from "../../src/http/response.ts";
import { ok } from "../support/http_scene.ts";
import { turns } from "../support/turns.ts";

const A = "192.0.2.1";
const B = "192.0.2.2";
const C = "192.0.2.3";
const URL_A = "https://a.test/";

/** How long a machine takes, in milliseconds; `Infinity` is never. */
type Machines = { [address: string]: number };

interface It extends AsyncDisposable {
  readonly pool: HttpPool;
  readonly clock: ManualClock;
  /** How long each machine takes. To be changed. */
  readonly tookMs: Machines;
  /** The addresses that requests were sent to, in order. */
  readonly sent: string[];
  /** Moves the clock by milliseconds. */
  pass(ms: number): Promise<void>;
  /** Makes requests until every machine is well known. */
  learn(host?: string): Promise<void>;
}

const encoder = new TextEncoder();

/** Makes a pool of machines that answer after a while. At its end nothing may be left. */
function scene(options: Partial<HttpPoolOptions> = {}, addresses = [A, B, C]): It {
  const clock = new ManualClock();
  const tookMs: Machines = Object.fromEntries(addresses.map((address) => [address, 10]));
  const sent: string[] = [];
  const dialer = memoryDialer({
    clock,
    script: ({ address }) => ({
      socket: {
        onWrite: (socket: MemorySocket) => {
          sent.push(address);
          const ms = tookMs[address]!;
          if (ms < Infinity) clock.setTimer(() => socket.receive(encoder.encode(ok(address))), ms);
        },
      },
    }),
  });
  const resolver = staticResolver({ "a.test": addresses, "b.test": addresses });
  const pool = new HttpPool({ balancer: "roundRobin", resolver, ...options, dialer, clock });
  const it: It = {
    pool,
    clock,
    tookMs,
    sent,
    async pass(ms) {
      for (let passed = 0; passed < ms; passed++) {
        clock.advance(1);
        await turns(30);
      }
    },
    async learn(host = "a.test") {
      for (let round = 0; round < 40; round++) {
        const all = addresses.map(() => pool.request(`https://${host}/`));
        await it.pass(11);
        await Promise.all(all);
      }
      sent.length = 0;
    },
    async [Symbol.asyncDispose]() {
      pool.manager.checkInvariants();
      await pool.close({ graceMs: 0 });
      assertEquals([dialer.sockets.size, dialer.dialing, clock.timers], [0, 0, 0]);
    },
  };
  return it;
}

/** A request under way: a promise within, so that to have it is not to wait for it. */
interface Asked {
  readonly answer: Promise<PooledResponse>;
}

/** Asks until it is a machine's turn, and that far. */
async function ask(it: It, address: string, options: RequestOptions = {}): Promise<Asked> {
  for (let turn = 0; turn < 10; turn++) {
    const answer = it.pool.request(URL_A, options);
    answer.catch(() => {});
    await turns();
    if (it.sent.at(-1) === address) return { answer };
    await it.pass(11);
  }
  throw new Error(`${address} was never chosen`);
}

test("A GET to a machine that falls silent is answered by another one, soon", async () => {
  await using it = scene();
  await it.learn();
  it.tookMs[A] = Infinity;
  const asked = it.clock.now();
  const { answer } = await ask(it, A);
  await it.pass(60);
  const response = await answer;
  assert(response.connection.hedged);
  assert(response.connection.ip !== A);
  assertEquals(await response.text(), response.connection.ip);
  // A quarter more than what it takes at the worst, known to an eighth, and what the other one takes.
  assert(it.clock.now() - asked < 120);
  const { hedges, hedgesWon, retries } = it.pool.stats().requests;
  assertEquals([hedges, hedgesWon, retries], [1, 1, 0]);
  // The silent connection carries nothing any more.
  const leased = [...it.pool.manager.connections()].filter(({ state }) => state !== "idle");
  assertEquals(leased, []);
});

test("A machine that answers after all wins, and the other request is let go", async () => {
  await using it = scene();
  await it.learn();
  it.tookMs[A] = 30;
  it.tookMs[B] = it.tookMs[C] = 25;
  const { answer } = await ask(it, A);
  await it.pass(40);
  const response = await answer;
  assertEquals([response.connection.ip, response.connection.hedged], [A, true]);
  assertEquals(await response.text(), A);
  const { hedges, hedgesWon } = it.pool.stats().requests;
  assertEquals([hedges, hedgesWon], [1, 0]);
  await it.pass(100);
  assertEquals(it.pool.stats().requests.successes, it.pool.stats().requests.count);
});

test("What may not be repeated, or is told not to be, is never sent to a second machine", async () => {
  for (
    const [options, request] of [
      [{}, { method: "POST", body: "x" }],
      [{}, { hedge: false }],
      [{ hedge: false }, {}],
      [{}, { ip: A }],
      [{}, { exclude: [B, C] }],
      [{}, { method: "PUT", body: new Uint8Array(100_000) }],
    ] as const
  ) {
    await using it = scene(options);
    await it.learn();
    it.tookMs[A] = Infinity;
    const refused = assertRejects(
      async () => await (await ask(it, A, { ...request, timeoutMs: 500 })).answer,
      RequestError,
      "timeoutMs",
    );
    await it.pass(600);
    await refused;
    assertEquals(it.pool.stats().requests.hedges, 0);
  }
});

test("hedge of a request says otherwise than that of the pool, and must be true or false", async () => {
  await using it = scene({ hedge: false });
  await it.learn();
  it.tookMs[A] = Infinity;
  const { answer } = await ask(it, A, { hedge: true });
  await it.pass(60);
  assert((await answer).connection.hedged);
  const wrong = { hedge: 1 as unknown as boolean };
  await assertRejects(
    () => it.pool.request(URL_A, wrong),
    TypeError,
    "hedge must be true or false",
  );
  assertThrows(() => scene(wrong), TypeError, "hedge must be true or false");
});

test("A machine is not found silent because the program stood still", async () => {
  await using it = scene();
  await it.learn();
  const now = it.clock.now.bind(it.clock);
  it.tookMs[A] = 25;
  const { answer } = await ask(it, A);
  Object.assign(it.clock, { now: () => now() + 400 });
  await it.pass(31);
  const response = await answer;
  assertEquals([response.connection.ip, response.connection.hedged], [A, false]);
  await response.text();
  assertEquals(it.pool.stats().hosts["a.test"]!.addresses[A]!.failures, 0);
});

test("A machine does not count as slow because the program stood still", async () => {
  await using it = scene();
  await it.learn();
  const now = it.clock.now.bind(it.clock);
  it.tookMs[A] = 15;
  const { answer } = await ask(it, A);
  Object.assign(it.clock, { now: () => now() + 20_000 });
  await it.pass(16);
  await (await answer).text();
  const { latencyMs } = it.pool.stats().hosts["a.test"]!.addresses[A]!;
  assert(latencyMs! < 100, `${latencyMs} ms`);
});

test("A machine counts as slow as it is, also where no other could be asked", async () => {
  await using it = scene({}, [A]);
  await it.learn();
  it.tookMs[A] = 3_000;
  const { answer } = await ask(it, A);
  await it.pass(3_001);
  await (await answer).text();
  const { latencyMs } = it.pool.stats().hosts["a.test"]!.addresses[A]!;
  assert(latencyMs! > 1_000, `${latencyMs} ms`);
});

test("A machine that was asked second counts as slow as it is, also where the first one fails", async () => {
  await using it = scene({}, [A, B]);
  await it.learn();
  it.tookMs[A] = it.tookMs[B] = 3_000;
  const { answer } = await ask(it, A);
  await it.pass(1_500);
  assertEquals(it.sent.at(-1), B);
  for (const connection of it.pool.manager.getConnections(A)) {
    it.pool.manager.removeConnection(connection);
  }
  await it.pass(3_001);
  await (await answer).text();
  const { latencyMs } = it.pool.stats().hosts["a.test"]!.addresses[B]!;
  assert(latencyMs! > 1_000, `${latencyMs} ms`);
});

test("When all machines are slow for once, few requests are sent twice", async () => {
  await using it = scene({ maxConnectionsPerIp: 40 });
  await it.learn();
  for (const address of [A, B, C]) it.tookMs[address] = 200;
  const { hedges: before } = it.pool.stats().requests;
  const requests: Promise<PooledResponse>[] = [];
  for (let index = 0; index < 400; index++) {
    requests.push(it.pool.request(URL_A));
    await it.pass(4);
  }
  await it.pass(300);
  for (const { status } of await Promise.all(requests)) assertEquals(status, 200);
  // Ten to spare, a two hundredth of all, and those at a machine that was silent before the others.
  const { count, hedges } = it.pool.stats().requests;
  assert(hedges - before <= 20 + count / 200, `${hedges} of ${count}`);
});

test("A machine that is silent to three requests is in doubt for every host, until it answers", async () => {
  await using it = scene();
  await it.learn();
  await it.learn("b.test");
  it.tookMs[A] = Infinity;
  const requests = Array.from({ length: 12 }, () => it.pool.request(URL_A, { timeoutMs: 2_000 }));
  await turns();
  await it.pass(25);
  for (const host of ["a.test", "b.test"]) {
    assertEquals(it.pool.stats().hosts[host]?.addresses[A]?.standing, "doubtful");
  }
  await it.pass(40);
  for (const request of requests) assertEquals((await request).status, 200);
  it.sent.length = 0;
  for (let index = 0; index < 12; index++) {
    const request = it.pool.request("https://b.test/");
    await it.pass(11);
    await request;
  }
  assert(!it.sent.includes(A), it.sent.join());
  it.tookMs[A] = 10;
  for (let index = 0; index < 60; index++) {
    const request = it.pool.request(URL_A);
    await it.pass(30);
    await request;
  }
  assertEquals(it.pool.stats().hosts["b.test"]?.addresses[A]?.standing, "good");
  assert(it.sent.includes(A));
});

test("A machine that answers others is not in doubt for a request that takes long", async () => {
  await using it = scene();
  await it.learn();
  await it.pool.warm("a.test", { connections: 9 });
  for (let index = 0; index < 6; index++) {
    it.tookMs[A] = 500;
    const slow = await ask(it, A, { method: "POST" });
    it.tookMs[A] = 10;
    await ask(it, A);
    await it.pass(500);
    await slow.answer;
  }
  assertEquals(it.pool.stats().hosts["a.test"]?.addresses[A]?.standing, "good");
});

test("Silence to requests that may not be repeated puts their machine in doubt as well", async () => {
  await using it = scene();
  await it.learn();
  it.tookMs[A] = Infinity;
  const options = { method: "POST", timeoutMs: 500 };
  const requests = Array.from({ length: 9 }, () => it.pool.request(URL_A, options));
  const settled = Promise.allSettled(requests);
  await it.pass(30);
  assertEquals(it.pool.stats().hosts["a.test"]?.addresses[A]?.standing, "doubtful");
  await it.pass(500);
  const failed = (await settled).filter(({ status }) => status === "rejected").length;
  assertEquals(failed, 3);
});

test("Where the second machine is silent too, the third one is asked", async () => {
  await using it = scene();
  await it.learn();
  it.tookMs[A] = it.tookMs[B] = it.tookMs[C] = Infinity;
  const { answer } = await ask(it, A);
  await it.pass(25);
  const [, second] = it.sent;
  const third = [B, C].find((address) => address !== second)!;
  it.tookMs[third] = 10;
  // The second one hangs up.
  for (const connection of it.pool.manager.getConnections(second!)) connection.destroy();
  await it.pass(60);
  assertEquals((await answer).connection.ip, third);
});

test("An abort releases a second machine that is still being dialled", async () => {
  await using it = scene();
  await it.learn();
  for (const address of [B, C]) await it.pool.drain(address);
  it.tookMs[A] = it.tookMs[B] = it.tookMs[C] = Infinity;
  const controller = new AbortController();
  const { answer } = await ask(it, A, { signal: controller.signal });
  await it.pass(20);
  controller.abort(new Error("enough"));
  await assertRejects(() => answer, Error, "enough");
  await it.pass(50);
  const { cancelled, failures } = it.pool.stats().requests;
  assertEquals([cancelled, failures], [1, 0]);
});
