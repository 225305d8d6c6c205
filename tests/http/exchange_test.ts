/**
 * Deadlines, doubts, leaks and the retry budget, on a clock that the test moves.
 *
 * @module
 */

import { assert, assertEquals, assertMatch, assertRejects, assertThrows } from "@std/assert";
import { test } from "node:test";
import { memoryDialer, type MemorySocket } from "../../adapters/memory.ts";
import { ManualClock } from "../../src/core/clock.ts";
import { RequestError } from "../../src/core/errors.ts";
import { staticResolver } from "../../src/hosts/resolver.ts";
import type { HttpPoolOptions } from "../../src/http/http_options.ts";
import { HttpPool } from "../../src/http/http_pool.ts";
import type { PooledResponse } from "../../src/http/response.ts";
import { ok } from "../support/http_scene.ts";
import { turns } from "../support/turns.ts";

const URL_A = "https://a.test/";
const encoder = new TextEncoder();

interface It extends AsyncDisposable {
  readonly pool: HttpPool;
  readonly clock: ManualClock;
  /** Every socket ever dialled. */
  readonly sockets: readonly MemorySocket[];
  /** Every piece that was written, as text. */
  readonly written: readonly string[];
  /** Moves the clock in small steps. */
  pass(ms: number): Promise<void>;
}

type OnWrite = (socket: MemorySocket, text: string) => void;

const answers: OnWrite = (socket) => void socket.receive(encoder.encode(ok("fine")));

/** Makes a pool whose peers do as `onWrite` says. At its end nothing may be left. */
function memoryScene(onWrite: OnWrite, options: Partial<HttpPoolOptions> = {}): It {
  const clock = new ManualClock();
  const sockets: MemorySocket[] = [];
  const written: string[] = [];
  const decoder = new TextDecoder();
  const dialer = memoryDialer({
    clock,
    script: () => ({
      socket: {
        onWrite: (socket, bytes) => {
          if (!sockets.includes(socket)) sockets.push(socket);
          const text = decoder.decode(bytes);
          written.push(text);
          onWrite(socket, text);
        },
      },
    }),
  });
  const resolver = staticResolver({ "a.test": ["192.0.2.1"] });
  const pool = new HttpPool({ resolver, ...options, dialer, clock });
  return {
    pool,
    clock,
    sockets,
    written,
    async pass(ms) {
      for (let passed = 0; passed < ms; passed += 50) {
        clock.advance(50);
        await turns();
      }
    },
    async [Symbol.asyncDispose]() {
      pool.manager.checkInvariants();
      await pool.close({ graceMs: 0 });
      assertEquals([dialer.sockets.size, dialer.dialing, clock.timers], [0, 0, 0]);
      assertEquals(pool.stats().connections, 0);
    },
  };
}

/** Lets a connection end after a while: one that ends at once counts as a failed dial. */
function dies({ clock }: It, socket: MemorySocket): void {
  clock.advance(1_000);
  socket.end();
}

/** Says how a promise stands. */
function watch(promise: Promise<unknown>): { state: string } {
  const seen = { state: "pending" };
  promise.then(() => seen.state = "done", (error) => seen.state = `${error}`);
  return seen;
}

test("A request that its peer answers within the write itself leaves the exchange in order", async () => {
  await using it = memoryScene(answers);
  const stream = () =>
    new ReadableStream<Uint8Array>({
      start(controller) {
        controller.enqueue(new Uint8Array(3));
        controller.close();
      },
    });
  for (const body of [undefined, "x", new Uint8Array(100_000), stream()]) {
    const options = body === undefined ? {} : { method: "PUT", body };
    await it.pass(6_000);
    assertEquals(await (await it.pool.request(URL_A, options)).text(), "fine");
    await turns();
  }
  // What was answered before it was out: trap 2. The last connection is gone, too.
  const { connections, dials } = it.pool.stats();
  assertEquals([connections, dials], [0, 2]);
  await it.pass(100);
});

test("A request ends at its deadline, to the millisecond, however many others are under way", async () => {
  const clock = new ManualClock();
  const dialer = memoryDialer({ clock, script: () => ({ socket: { onWrite() {} } }) });
  const resolver = staticResolver({ "a.test": ["192.0.2.1"] });
  const limits = {
    maxConnections: 1_000,
    maxConnectionsPerHost: 1_000,
    maxConnectionsPerIp: 1_000,
  };
  const pool = new HttpPool({ ...limits, resolver, dialer, clock });
  const endedAt: number[] = [];
  const startedAt = clock.now();
  const requests = Array.from({ length: 1_000 }, (_, index) => {
    const request = pool.request(URL_A, { method: "POST", timeoutMs: 1_000 + index });
    return request.catch(() => endedAt.push(clock.now() - startedAt));
  });
  for (let ms = 0; ms < 2_000; ms++) {
    clock.advance(1);
    await turns();
  }
  await Promise.all(requests);
  assertEquals(endedAt, Array.from({ length: 1_000 }, (_, index) => 1_000 + index));
  pool.manager.checkInvariants();
  await pool.close({ graceMs: 0 });
  assertEquals([dialer.sockets.size, clock.timers], [0, 0]);
});

test("What a program that was stopped, or slept, reads long after a deadline is no answer", async () => {
  const held: MemorySocket[] = [];
  await using it = memoryScene((socket) => void held.push(socket));
  const answer = encoder.encode(ok("fine"));
  const head = encoder.encode("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n");
  const tooLate = (promise: Promise<unknown>) =>
    assertRejects(() => promise, RequestError, "timeoutMs");
  // All at once; its head alone; its body after the head.
  for (const parts of [[answer], [head], [head, encoder.encode("fine")]]) {
    const request = it.pool.request(URL_A, { timeoutMs: 2_000 });
    request.catch(() => {});
    await turns();
    const socket = held.pop()!;
    if (parts.length > 1) socket.receive(parts.shift()!);
    await turns();
    it.clock.shiftWall(70_000);
    socket.receive(parts[0]!);
    const isBody = parts[0]!.length === 4;
    await tooLate(isBody ? request.then((response) => response.text()) : request);
    assert(!socket.open);
  }
  // Half a second is nothing: what came meanwhile is read.
  const request = it.pool.request(URL_A, { timeoutMs: 2_000 });
  await turns();
  it.clock.shiftWall(2_500);
  held.pop()!.receive(answer);
  assertEquals(await (await request).text(), "fine");
});

test("A connection that ends on its way to a request costs nothing, even a POST", async () => {
  await using it = memoryScene((socket, text) => text.includes("/hold") || answers(socket, text), {
    maxConnectionsPerIp: 1,
  });
  const first = await it.pool.acquire("a.test");
  const post = it.pool.request(URL_A, { method: "POST", body: "x" });
  await turns();
  first.release();
  // It has been given to the one that waits, who has not heard of it yet.
  it.pool.manager.removeConnection("192.0.2.1");
  await it.pass(50);
  assertEquals(await (await post).text(), "fine");
  assertEquals(it.written.length, 1);
});

test("Trap 8: a warm connection that stood idle is doubted as a used one is", async () => {
  let silent = true;
  await using it = memoryScene((socket, text) => silent || answers(socket, text));
  await it.pool.warm("a.test", { connections: 2 });
  await it.pool.warm("a.test", { connections: 0 });
  await it.pass(6_000);
  const request = it.pool.request(URL_A);
  const seen = watch(request);
  await it.pass(9_900);
  assertEquals([seen.state, it.written.length], ["pending", 1]);
  silent = false;
  await it.pass(200);
  assertEquals(await (await request).text(), "fine");
  const { connections, dials } = it.pool.stats();
  assertEquals([connections, dials, it.written.length], [1, 3, 2]);
});

test("Trap 8: neither a fresh connection is doubted, nor one that has begun to answer", async () => {
  await using it = memoryScene((socket, text) => {
    if (text.includes("/begun")) socket.receive(encoder.encode("HTTP/1.1 2"));
    else if (!text.includes("/slow")) answers(socket, text);
  });
  const fresh = it.pool.request(`${URL_A}slow`, { firstByteTimeoutMs: 100 });
  await it.pass(60_000);
  assertEquals(it.written.length, 1);
  it.sockets[0]?.receive(encoder.encode(ok()));
  await (await fresh).dump();
  await it.pass(6_000);
  const begun = it.pool.request(`${URL_A}begun`, { firstByteTimeoutMs: 100 });
  await it.pass(60_000);
  assertEquals(it.written.length, 2);
  it.sockets[0]?.receive(encoder.encode("00 OK\r\ncontent-length: 0\r\n\r\n"));
  assertEquals((await begun).status, 200);
});

test("Trap 8: without a retry to spend, a slow answer is waited for", async () => {
  await using it = memoryScene((socket, text) => {
    if (text.includes("/die")) dies(it, socket);
    else if (!text.includes("/slow")) answers(socket, text);
  }, { retryShare: 0 });
  for (let i = 0; i < 11; i++) {
    await assertRejects(() => it.pool.request(`${URL_A}die`, { idempotent: true }), RequestError);
  }
  await (await it.pool.request(URL_A)).dump();
  await it.pass(6_000);
  const slow = it.pool.request(`${URL_A}slow`, { firstByteTimeoutMs: 100 });
  await it.pass(30_000);
  it.sockets.at(-1)?.receive(encoder.encode(ok("late")));
  assertEquals(await (await slow).text(), "late");
});

test("Retries spend from a budget: a small reserve, and a share of what is asked", async () => {
  for (const [retryShare, most] of [[0, 10], [0.2, 30], [1, 100]] as const) {
    await using it = memoryScene((socket) => dies(it, socket), { retryShare });
    for (let i = 0; i < 100; i++) {
      const error = await assertRejects(() => it.pool.request(URL_A), RequestError);
      assertEquals(error.maybeActedOn, true);
    }
    // Shares do not add up exactly.
    const repeated = it.written.length - 100;
    assert(repeated === most || repeated === most - 1, `${repeated} for ${retryShare}`);
  }
});

test("What was saved up of the budget is bounded", async () => {
  let dying = false;
  await using it = memoryScene((socket, text) => dying ? dies(it, socket) : answers(socket, text));
  for (let i = 0; i < 2_000; i++) await (await it.pool.request(URL_A)).dump();
  dying = true;
  for (let i = 0; i < 500; i++) await assertRejects(() => it.pool.request(URL_A), RequestError);
  const repeated = it.written.length - 2_500;
  assert(repeated > 190 && repeated <= 201, `${repeated} were sent again`);
});

test("A pool's HTTP options are checked", () => {
  const make = (options: object) => () => memoryScene(answers, options);
  assertThrows(make({ retryShare: 1.1 }), RangeError, "retryShare must be a number from 0 to 1");
  assertThrows(make({ retryShare: "1" }), TypeError, "retryShare");
  assertThrows(make({ leakTimeoutMs: 0 }), RangeError, "leakTimeoutMs");
  assertThrows(make({ bodyIdleTimeoutMs: 0 }), RangeError, "bodyIdleTimeoutMs");
  assertThrows(make({ bodyIdleTimeoutMs: "1" }), TypeError, "bodyIdleTimeoutMs");
  assertThrows(make({ responseLimits: { maxLineByte: 1 } }), TypeError);
  assertThrows(make({ responseLimits: { maxFields: 2 ** 31 } }), RangeError, "maxFields is 2147");
  assertThrows(make({ nonsense: 1 }), TypeError, "nonsense");
  const clock = new ManualClock();
  const resolver = staticResolver({ "a.test": ["192.0.2.1"] });
  const bad = { dialer: memoryDialer(), resolver, clock, retryShare: 2 };
  assertThrows(() => new HttpPool(bad), RangeError);
  assertEquals(clock.timers, 0);
});

test("Trap 1: an unread body is reclaimed at leakTimeoutMs, one that is read is not", async () => {
  const head = "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n";
  await using it = memoryScene((socket) => socket.receive(encoder.encode(head)));
  const [unread, read, touched] = await Promise.all(
    [...Array(3)].map(() => it.pool.request(URL_A)),
  );
  assert(unread && read && touched);
  const text = watch(read.text());
  const { body } = touched;
  await it.pass(19_900);
  assertEquals(it.pool.stats().leased, 3);
  const part = watch(body.getReader().read());
  await it.pass(200);
  assertEquals(it.pool.stats().leased, 2);
  const error = await assertRejects(() => unread.text(), RequestError, "nobody read");
  assertEquals([error.failure, error.maybeActedOn], ["cancelled", true]);
  await it.pass(60_000);
  assertEquals([text.state, part.state], ["pending", "pending"]);
});

const LONG_HEAD = "HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n";

test("A body that was begun and is not read on loses its connection at bodyIdleTimeoutMs", async () => {
  await using it = memoryScene(
    (socket) => socket.receive(encoder.encode(LONG_HEAD)),
    { bodyIdleTimeoutMs: 5_000 },
  );
  const leaks: string[] = [];
  it.pool.on("leak", ({ url }) => leaks.push(url));
  const response = await it.pool.request(URL_A);
  const reader = response.body.getReader();
  const first = reader.read();
  const [socket] = it.sockets;
  socket!.receive(new Uint8Array(10));
  assertEquals((await first).value?.length, 10);

  // The server is what is slow.
  await it.pass(60_000);
  assertEquals(it.pool.stats().leased, 1);
  // Each read begins the time again, also where it leaves something; so much holds the server back.
  socket!.receive(new Uint8Array(200_000));
  socket!.receive(new Uint8Array(100_000));
  socket!.receive(new Uint8Array(10));
  await it.pass(4_000);
  await reader.read();
  await it.pass(4_000);
  assertEquals([it.pool.stats().leased, leaks], [1, []]);
  await it.pass(1_100);
  assertEquals([it.pool.stats().leased, leaks], [0, [URL_A]]);
  const error = await assertRejects(() => reader.read(), RequestError, "bodyIdleTimeoutMs");
  assertEquals(error.failure, "cancelled");
});

test("A body that is read whole, or waited for, is no business of bodyIdleTimeoutMs", async () => {
  await using it = memoryScene(
    (socket) => socket.receive(encoder.encode(LONG_HEAD)),
    { bodyIdleTimeoutMs: 1_000 },
  );
  const [whole, waited, untouched] = await Promise.all(
    [...Array(3)].map(() => it.pool.request(URL_A)),
  );
  const states = [watch(whole!.text()), watch(waited!.body.getReader().read())];
  for (const socket of it.sockets.slice(0, 1)) socket.receive(new Uint8Array(10));
  it.sockets[2]!.receive(new Uint8Array(10));
  await it.pass(19_900);
  assertEquals(states.map(({ state }) => state), ["pending", "pending"]);
  assertEquals([untouched!.bodyUsed, it.pool.stats().leased], [false, 3]);
});

test("Without bodyIdleTimeoutMs a body that was begun stands as long as its reader likes", async () => {
  await using it = memoryScene((socket) => socket.receive(encoder.encode(LONG_HEAD)));
  const reader = (await it.pool.request(URL_A)).body.getReader();
  const first = reader.read();
  for (const _ of [1, 2]) it.sockets[0]!.receive(new Uint8Array(10_000));
  await first;
  await it.pass(600_000);
  assertEquals((await reader.read()).value?.length, 10_000);
});

test("timeoutMs counts from the request to the body's last byte, on the pool's clock", async () => {
  await using it = memoryScene((socket) =>
    void socket.receive(encoder.encode("HTTP/1.1 200 OK\r\n\r\n"))
  );
  const response = await it.pool.request(URL_A, { timeoutMs: 1_000 });
  const body = watch(response.text());
  await it.pass(950);
  assertEquals(body.state, "pending");
  await it.pass(100);
  assert(/\(timeout\).*1000 ms/.test(body.state), body.state);
});

test("A request whose time is over is not sent, nor sent again, whatever is ready", async () => {
  await using it = memoryScene((socket, text) => {
    if (text.includes("/hang")) return;
    answers(socket, text);
  });
  await it.pool.warm("a.test", { connections: 2 });
  const none = await assertRejects(() => it.pool.request(URL_A, { timeoutMs: 0 }), RequestError);
  assertEquals([none.failure, none.address, none.maybeActedOn], ["timeout", null, false]);
  assertMatch(none.message, /^Request to a\.test failed \(timeout\): /);
  assertEquals(it.written.length, 0);

  // Its time ends between two looks at the deadlines, and then its connection, before the second.
  for (const _ of [1, 2]) await (await it.pool.request(URL_A)).dump();
  const late = watch(it.pool.request(`${URL_A}hang`, { timeoutMs: 1_020 }));
  await it.pass(1_000);
  it.clock.advance(30);
  it.sockets[0]?.end();
  await turns();
  assert(/\(timeout\).*1020 ms/.test(late.state), late.state);
  assertEquals(it.written.length, 3);
});

test("What ends in the middle leaves an unhealthy connection, what asks for its end a used one", async () => {
  const half = "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf";
  const aborted = new AbortController();
  const cases: readonly [
    evicted: string,
    answer: string,
    ask: (it: It, response: Promise<PooledResponse>) => Promise<unknown>,
  ][] = [
    ["used", ok("fine", ["connection: close"]), async (_, response) => (await response).text()],
    ["unhealthy", "nonsense\r\n\r\n", (_, response) => assertRejects(() => response)],
    ["unhealthy", half, async (_, response) => (await response).body.cancel()],
    ["unhealthy", half, async (it, response) => {
      const leaking = await response;
      await it.pass(20_050);
      await assertRejects(() => leaking.text(), RequestError, "nobody read");
    }],
    ["unhealthy", half, async (_, response) => {
      const text = (await response).text();
      aborted.abort(new Error("enough"));
      await assertRejects(() => text, Error, "enough");
    }],
  ];
  for (const [evicted, answer, ask] of cases) {
    await using it = memoryScene((socket) => void socket.receive(encoder.encode(answer)));
    await ask(it, it.pool.request(URL_A, { signal: aborted.signal }));
    await turns();
    assertEquals(it.pool.stats().evicted, { [evicted]: 1 });
  }
});

test("A hint of a second keeps a connection for half of it, one of five seconds for three", async () => {
  const hint = (seconds: number) => ok("", [`keep-alive: timeout=${seconds}`]);
  let seconds = 1;
  await using it = memoryScene((socket) => void socket.receive(encoder.encode(hint(seconds))));
  const dials = async (afterMs: number) => {
    await it.pass(afterMs);
    await (await it.pool.request(URL_A)).dump();
    return it.pool.stats().dials;
  };
  assertEquals(await dials(0), 1);
  assertEquals(await dials(0), 1);
  assertEquals(await dials(450), 1);
  assertEquals(await dials(500), 2);
  seconds = 5;
  assertEquals(await dials(0), 2);
  assertEquals(await dials(2_950), 2);
  assertEquals(await dials(3_000), 3);
});

test("Keep-Alive: max=0 ends the connection after the answer", async () => {
  await using it = memoryScene((socket) =>
    void socket.receive(encoder.encode(ok("", ["keep-alive: max=0"])))
  );
  await (await it.pool.request(URL_A)).dump();
  assertEquals(it.pool.stats().connections, 0);
});
