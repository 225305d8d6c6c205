/**
 * Servers that say to come back later: what becomes of their machine, and of the request.
 *
 * @module
 */

import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { test } from "node:test";
import { memoryDialer } from "../../adapters/memory.ts";
import { ManualClock } from "../../src/core/clock.ts";
import { ClosedError, WebSocketError } from "../../src/core/errors.ts";
import { staticResolver } from "../../src/hosts/resolver.ts";
import type { HttpPoolOptions } from "../../src/http/http_options.ts";
import { HttpPool } from "../../src/http/http_pool.ts";
import type { RequestOptions } from "../../src/http/request_options.ts";
import { ResponseHeaders } from "../../src/http/response_headers.ts";
import { readRetryAfter } from "../../src/http/retry_after.ts";
import type { UpgradeOptions } from "../../src/http/upgrade.ts";
import { openMetrics } from "../../src/metrics/open_metrics.ts";
import { withScene } from "../support/http_scene.ts";
import { turns } from "../support/turns.ts";

const encoder = new TextEncoder();
const URL = "https://a.test/";
const FINE = "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nfine";

/** An answer that says to come back after so many seconds, or so. */
function later(status: number, after: number | string, more = ""): string {
  return `HTTP/1.1 ${status} Later\r\nretry-after: ${after}\r\ncontent-length: 2\r\n${more}\r\nno`;
}

interface It extends AsyncDisposable {
  readonly pool: HttpPool;
  readonly clock: ManualClock;
  /** What each machine answers, by the last number of its address: the last one for good. */
  readonly answers: Map<number, string[]>;
  /** Who was asked, by the last number of the address. */
  readonly asked: number[];
  /** What was told, in short. */
  readonly told: string[];
  ask(options?: RequestOptions): Promise<number>;
  pass(ms: number): Promise<void>;
}

/** A host on so many machines; what none has an answer for is fine. */
async function scene(machines: number, options: Partial<HttpPoolOptions> = {}): Promise<It> {
  const clock = new ManualClock();
  const answers = new Map<number, string[]>();
  const asked: number[] = [];
  const told: string[] = [];
  const dialer = memoryDialer({
    clock,
    script: ({ ip }) => ({
      socket: {
        onWrite: (socket) => {
          const number = Number(ip.split(".")[3]);
          asked.push(number);
          const own = answers.get(number);
          const text = own && own.length > 1 ? own.shift()! : own?.[0];
          queueMicrotask(() => void socket.receive(encoder.encode(text ?? FINE)));
        },
      },
    }),
  });
  const addresses = Array.from({ length: machines }, (_, index) => `192.0.2.${index + 1}`);
  const resolver = staticResolver({ "a.test": addresses });
  const pool = new HttpPool({
    resolver,
    balancer: "roundRobin",
    slowStartMs: 0,
    ...options,
    dialer,
    clock,
  });
  await pool.warm("a.test", { connections: machines });
  pool.on("toldLater", ({ address, restsUntil, since, status, until }) => {
    const rests = restsUntil === null ? "never" : `${restsUntil - since}`;
    told.push(`${address.split(".")[3]} ${status} for ${until - since}, rests ${rests}`);
  });
  pool.on("rested", ({ address }) => told.push(`${address.split(".")[3]} is back`));
  return {
    pool,
    clock,
    answers,
    asked,
    told,
    async ask(options) {
      const response = await pool.request(URL, options);
      await response.dump();
      return response.status;
    },
    async pass(ms) {
      for (let passed = 0; passed < ms; passed += 50) {
        clock.advance(Math.min(50, ms - passed));
        await turns();
      }
    },
    async [Symbol.asyncDispose]() {
      await turns();
      pool.manager.checkInvariants();
      await pool.close({ graceMs: 0 });
      assertEquals([dialer.sockets.size, dialer.dialing, clock.timers], [0, 0, 0]);
    },
  };
}

/** How often each machine is asked among so many requests. */
async function shares(it: It, requests: number, options?: RequestOptions): Promise<number[]> {
  const from = it.asked.length;
  for (let i = 0; i < requests; i++) await it.ask(options);
  const counts: number[] = [];
  for (const number of it.asked.slice(from)) counts[number] = (counts[number] ?? 0) + 1;
  return Array.from(counts.slice(1), (count) => count ?? 0);
}

test("Retry-After is read as seconds and as each form of a date, and nothing else is", () => {
  const now = Date.UTC(2026, 10, 26, 12, 0, 0);
  const read = (...lines: string[]) => {
    const head = encoder.encode(`\n${lines.map((line) => `${line}\r\n`).join("")}`);
    return readRetryAfter(new ResponseHeaders(head, 0, head.length, true), now);
  };
  const cases: [value: string, ms: number | undefined][] = [
    ["0", 0],
    ["120", 120_000],
    ["99999999999999999999999", 1e12],
    ["Thu, 26 Nov 2026 12:00:30 GMT", 30_000],
    ["Thursday, 26-Nov-26 12:00:30 GMT", 30_000],
    ["Sunday, 06-Nov-94 08:49:37 GMT", 0],
    ["Thu Nov 26 12:00:30 2026", 30_000],
    ["Fri Jan  1 00:00:00 2027", Date.UTC(2027, 0, 1) - now],
    ["Thu, 26 Nov 2026 11:59:00 GMT", 0],
    ["Thu, 31 Feb 2026 12:00:30 GMT", undefined],
    ["Thu, 26 Nov 2026 25:00:30 GMT", undefined],
    ["Thu, 26 nov 2026 12:00:30 GMT", undefined],
    ["Thu, 26 Nov 2026 12:00:30 CET", undefined],
    ["-1", undefined],
    ["+5", undefined],
    ["1.5", undefined],
    ["5 s", undefined],
    ["soon", undefined],
    ["", undefined],
    ["2026-11-26T12:00:30Z", undefined],
  ];
  for (const [value, ms] of cases) assertEquals(read(`retry-after: ${value}`), ms, value);
  assertEquals(read("retry-after: 1", "retry-after: 2"), undefined);
  assertEquals(read("server: x"), undefined);
  // The server's clock is two hours off.
  const date = "date: Thu, 26 Nov 2026 14:00:00 GMT";
  assertEquals(read("retry-after: Thu, 26 Nov 2026 14:00:05 GMT", date), 5_000);
});

test("A machine that answers 503 with Retry-After is left alone for so long, and is back then", async () => {
  await using it = await scene(3);
  assertEquals(await shares(it, 6), [2, 2, 2]);
  it.answers.set(2, [later(503, 5), FINE]);
  const statuses = [await it.ask(), await it.ask(), await it.ask()];
  assertEquals(statuses.filter((status) => status === 503).length, 1);
  await turns();
  assertEquals(it.told, ["2 503 for 5000, rests 5000"]);
  assertEquals((await shares(it, 6))[1], 0);
  const { toldLater } = it.pool.stats().hosts["a.test"]!.addresses["192.0.2.2"]!;
  assertEquals(toldLater && [toldLater.status, toldLater.until - toldLater.since], [503, 5_000]);
  assertEquals(it.pool.stats().hosts["a.test"]!.toldLater, null);
  const metrics = openMetrics(it.pool, { addresses: true });
  assert(metrics.includes("hotconn_address_told_later_until_timestamp_seconds{"), metrics);
  assert(/hotconn_request_told_later_total\{.*\} 1\n/.test(metrics), metrics);
  await it.pass(4_950);
  assertEquals((await shares(it, 4))[1], 0);
  await it.pass(100);
  assertEquals(it.told[1], "2 is back");
  assertEquals(await shares(it, 6), [2, 2, 2]);
  assertEquals(it.pool.stats().hosts["a.test"]!.addresses["192.0.2.2"]!.toldLater, null);
});

test("A machine that is back from a rest gets a tenth of its load at first, and soon all of it", async () => {
  await using it = await scene(2, { slowStartMs: 10_000 });
  const share = () => it.pool.stats().hosts["a.test"]!.addresses["192.0.2.2"]!.share;
  it.answers.set(2, [later(503, 5), FINE]);
  await shares(it, 2);
  await it.pass(5_000);
  assertEquals([it.told[1], share()], ["2 is back", 0.1]);
  await it.pass(5_000);
  assertEquals(Math.round(100 * share()), 55);
  await it.pass(5_000);
  assertEquals(share(), 1);
});

test("A 429 leaves its machine to the others, unless restStatuses has it", async () => {
  for (const restStatuses of [undefined, [429, 503]]) {
    await using it = await scene(3, restStatuses ? { restStatuses } : {});
    await shares(it, 3);
    it.answers.set(1, [later(429, 5), FINE]);
    await shares(it, 3);
    const share = (await shares(it, 6))[0]!;
    assertEquals(share, restStatuses ? 0 : 2);
    const rests = restStatuses ? "5000" : "never";
    assertEquals(it.told, [`1 429 for 5000, rests ${rests}`]);
  }
});

test("restStatuses: [] leaves no machine alone, and maxRetryAfterMs bounds for how long", async () => {
  await using none = await scene(3, { restStatuses: [] });
  none.answers.set(1, [later(503, 5)]);
  await shares(none, 6);
  assertEquals(await shares(none, 6), [2, 2, 2]);
  await using bounded = await scene(3, { maxRetryAfterMs: 1_000 });
  bounded.answers.set(1, [later(503, 3_600), FINE]);
  await shares(bounded, 3);
  assertEquals((await shares(bounded, 4))[0] ?? 0, 0);
  await bounded.pass(1_050);
  assertEquals(await shares(bounded, 6), [2, 2, 2]);
  assertEquals(bounded.told, ["1 503 for 3600000, rests 1000", "1 is back"]);
});

test("Where more than half of a host's machines ask for it, none is left alone, and diagnose() tells", async () => {
  await using it = await scene(3);
  for (const number of [1, 2, 3]) it.answers.set(number, [later(503, 5)]);
  await it.ask();
  await it.ask();
  await turns();
  // The second one that asks is more than half of three.
  assertEquals(it.told.filter((text) => text.endsWith("is back")).length, 1);
  assertEquals(it.pool.diagnose(), []);
  assertEquals(await shares(it, 6), [2, 2, 2]);
  const [finding] = it.pool.diagnose();
  assertEquals([finding?.what, finding?.severity, finding?.host], [
    "allToldLater",
    "warning",
    "a.test",
  ]);
  assert(it.pool.stats().hosts["a.test"]!.toldLater);
  await it.pass(5_050);
  assertEquals(it.pool.diagnose(), []);
  assertEquals(it.pool.stats().hosts["a.test"]!.toldLater, null);
});

test("diagnose() tells when the last machine asked for it and when the first may be asked, whatever strangers say", async () => {
  await using it = await scene(2);
  await it.ask({ ip: "192.0.2.9" });
  it.answers.set(1, [later(503, 9)]);
  it.answers.set(2, [later(429, 6)]);
  await it.ask({ ip: "192.0.2.1" });
  await it.pass(2_000);
  assertEquals(it.pool.diagnose(), []);
  await it.ask({ ip: "192.0.2.2" });
  await it.pass(1_000);
  const [finding] = it.pool.diagnose();
  assertStringIncludes(
    finding!.message,
    "say to come back later (429, 503): the last one 1000 ms ago. The first may be asked again in 5000 ms.",
  );
});

test("One machine alone is never left alone: its answer is the caller's, and says until when", async () => {
  await using it = await scene(1);
  it.answers.set(1, [later(503, 7)]);
  const response = await it.pool.request(URL);
  const { retryAfter } = response;
  await response.dump();
  assertEquals([response.status, retryAfter!.until - retryAfter!.since], [503, 7_000]);
  assertEquals(retryAfter!.since, it.clock.now());
  assertEquals(await it.ask(), 503);
  assertEquals(it.pool.stats().requests.waits, 0);
  it.answers.set(1, [FINE]);
  const fine = await it.pool.request(URL);
  await fine.dump();
  assertEquals(fine.retryAfter, null);
});

test("retryAfter: \"wait\" sends a request again when it was told to, and not before", async () => {
  for (const status of [429, 503]) {
    await using it = await scene(1, { retryAfter: "wait" });
    it.answers.set(1, [later(status, 2), FINE]);
    const asked = it.ask();
    await it.pass(1_950);
    assertEquals(it.asked.length, 1);
    await it.pass(300);
    assertEquals([await asked, it.asked.length], [200, 2]);
    const { retries, toldLater, waits } = it.pool.stats().requests;
    assertEquals([retries, toldLater, waits], [1, 1, 1]);
  }
});

test("A request waits within its deadline alone, within maxRetryAfterMs, and where it may be repeated", async () => {
  await using it = await scene(1, { retryAfter: "wait", maxRetryAfterMs: 4_000, restStatuses: [] });
  it.answers.set(1, [later(429, 2)]);
  assertEquals(await it.ask({ timeoutMs: 1_900 }), 429);
  assertEquals(await it.ask({ method: "POST" }), 429);
  assertEquals(await it.ask({ retryAfter: "tell" }), 429);
  it.answers.set(1, [later(429, 5)]);
  assertEquals(await it.ask(), 429);
  assertEquals(it.pool.stats().requests.waits, 0);
  // Two waits of two seconds, and no third one.
  it.answers.set(1, [later(429, 2)]);
  const asked = it.ask();
  await it.pass(4_500);
  assertEquals([await asked, it.pool.stats().requests.waits], [429, 2]);
});

test("Retry-After: 0 is no endless loop", async () => {
  await using it = await scene(1, { retryAfter: "wait" });
  it.answers.set(1, [later(429, 0)]);
  assertEquals(await it.ask(), 429);
  assertEquals(it.asked.length, 11);
});

test("With failoverStatuses a request goes to another machine first, and waits only where none is left", async () => {
  await using it = await scene(2, { retryAfter: "wait", failoverStatuses: [503] });
  it.answers.set(1, [later(503, 2), FINE]);
  assertEquals([await it.ask(), await it.ask()], [200, 200]);
  assertEquals(it.pool.stats().requests.waits, 0);
  await it.pass(3_000);
  for (const number of [1, 2]) it.answers.set(number, [later(503, 2), FINE]);
  const asked = it.ask();
  await it.pass(3_000);
  assertEquals(await asked, 200);
  assertEquals(it.pool.stats().requests.waits, 1);
});

test("Where all machines ask for it, a request that is not sent yet waits as well, of any method", async () => {
  await using it = await scene(1, { retryAfter: "wait" });
  it.answers.set(1, [later(503, 2), FINE]);
  assertEquals(await it.ask({ method: "POST" }), 503);
  const second = it.ask({ method: "POST" });
  const impatient = it.ask({ method: "POST", timeoutMs: 500 });
  assertEquals(await impatient, 200);
  await it.pass(1_900);
  assertEquals(it.asked.length, 2);
  await it.pass(400);
  assertEquals([await second, it.asked.length], [200, 3]);
});

test("A request that waits ends with its signal, and with the pool", async () => {
  await using it = await scene(1, { retryAfter: "wait" });
  it.answers.set(1, [later(429, 30)]);
  const stop = new AbortController();
  const aborted = it.ask({ signal: stop.signal });
  const closed = it.ask();
  await turns();
  stop.abort(new Error("enough"));
  await assertRejects(() => aborted, Error, "enough");
  const refused = assertRejects(() => closed, ClosedError);
  await it.pool.close({ graceMs: 0 });
  await refused;
  assertEquals(it.clock.timers, 0);
});

test("A 425 is asked once more, where the request may be repeated and is nobody else's", async () => {
  const early = "HTTP/1.1 425 Too Early\r\ncontent-length: 0\r\n\r\n";
  await using it = await scene(1);
  it.answers.set(1, [early, FINE]);
  assertEquals([await it.ask(), it.asked.length], [200, 2]);
  it.answers.set(1, [early]);
  assertEquals([await it.ask(), it.asked.length], [425, 4]);
  assertEquals([await it.ask({ method: "POST" }), it.asked.length], [425, 5]);
  assertEquals([await it.ask({ headers: { "Early-Data": "1" } }), it.asked.length], [425, 6]);
  assertEquals(it.pool.stats().hosts["a.test"]!.addresses["192.0.2.1"]!.failures, 0);
});

test("Keep-Alive: max counts the requests that a connection takes, told again or not", async () => {
  await using it = await scene(1);
  const hint = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\nkeep-alive: timeout=30, max=2\r\n\r\n";
  it.answers.set(1, [hint, FINE]);
  const left: (string | undefined)[] = [];
  for (let i = 0; i < 3; i++) {
    await it.ask();
    left.push(Object.keys(it.pool.stats().evicted)[0]);
  }
  assertEquals(left, [undefined, undefined, "used"]);
});

test("Bad values of the options are refused, each with what would be valid", async () => {
  const cases: [options: object, error: typeof TypeError | typeof RangeError, says: string][] = [
    [{ retryAfter: "never" }, TypeError, "retryAfter must be \"tell\" or \"wait\", got \"never\""],
    [{ retryAfter: 5 }, TypeError, "retryAfter must be \"tell\" or \"wait\", got 5"],
    [{ maxRetryAfterMs: -1 }, RangeError, "maxRetryAfterMs must be"],
    [{ restStatuses: [500] }, RangeError, "restStatuses must be a list of 429 and 503, got 500"],
    [{ restStatuses: 503 }, TypeError, "restStatuses must be a list"],
  ];
  for (const [options, error, says] of cases) {
    await assertRejects(() => scene(1, options as Partial<HttpPoolOptions>), error, says);
  }
});

test("request() refuses a bad retryAfter", async () => {
  await using it = await scene(1);
  const options = { retryAfter: true } as unknown as RequestOptions;
  await assertRejects(() => it.pool.request(URL, options), TypeError, "retryAfter must be");
});

for (const alpn of ["h2", "http/1.1"] as const) {
  test(`A real server that says to come back after a second is asked again then, over ${alpn}`, () =>
    withScene({
      origin: { alpn: [alpn] },
      scripts: { "/": [[{ send: later(503, 1) }], [{ send: FINE }]] },
      pool: { retryAfter: "wait", protocols: [alpn] },
    }, async ({ origin, pool, url }) => {
      const response = await pool.request(url("/"), { timeoutMs: 30_000 });
      assertEquals([response.status, await response.text()], [200, "fine"]);
      assertEquals([response.connection.protocol, pool.stats().requests.waits], [alpn, 1]);
      const [first, second] = (await origin.report()).log;
      assert(second!.at - first!.at >= 990, `${second!.at - first!.at} ms`);
    }));
}

const SWITCHED = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n";

/** Asks for an upgrade; gives the status, and ends what it is given. */
async function upgrade(it: It, options: Partial<UpgradeOptions> = {}): Promise<number> {
  const answer = await it.pool.upgrade(URL, { protocol: "echo", ...options });
  if ("lease" in answer) answer.lease.release();
  else await answer.dump();
  return answer.status;
}

test("A machine that answers an upgrade 503 with Retry-After is left alone by requests and upgrades", async () => {
  await using it = await scene(3);
  for (const number of [1, 3]) it.answers.set(number, [SWITCHED]);
  it.answers.set(2, [later(503, 5), SWITCHED]);
  const statuses = [await upgrade(it), await upgrade(it), await upgrade(it)];
  assertEquals(statuses.sort(), [101, 101, 503]);
  assertEquals(it.told, ["2 503 for 5000, rests 5000"]);
  assertEquals(it.pool.stats().requests.toldLater, 1);
  for (let i = 0; i < 6; i++) assertEquals(await upgrade(it), 101);
  assertEquals(it.asked.filter((number) => number === 2).length, 1);
  for (const number of [1, 3]) it.answers.set(number, [FINE]);
  assertEquals((await shares(it, 6))[1], 0);
  for (const number of [1, 3]) it.answers.set(number, [SWITCHED]);
  await it.pass(5_050);
  for (let i = 0; i < 3; i++) assertEquals(await upgrade(it), 101);
  assert(it.asked.filter((number) => number === 2).length > 1);
});

test("An upgrade keeps away from a machine that a request was told to leave alone", async () => {
  await using it = await scene(3);
  for (const number of [1, 2, 3]) it.answers.set(number, [SWITCHED]);
  assertEquals(await upgrade(it), 101);
  const [before] = it.asked;
  for (const number of [1, 3]) it.answers.set(number, [FINE]);
  it.answers.set(2, [later(503, 5), SWITCHED]);
  await shares(it, 3);
  for (const number of [1, 3]) it.answers.set(number, [SWITCHED]);
  for (let i = 0; i < 6; i++) assertEquals(await upgrade(it), 101);
  assertEquals(it.asked.filter((number) => number === 2).length, before === 2 ? 2 : 1);
  await it.pass(5_050);
  assertEquals(it.told, ["2 503 for 5000, rests 5000", "2 is back"]);
});

test("A word that had nobody leave a machine alone hides no later return of it", async () => {
  await using it = await scene(3);
  for (const number of [1, 2, 3]) it.answers.set(number, [FINE, SWITCHED]);
  await shares(it, 3);
  for (let i = 0; i < 3; i++) assertEquals(await upgrade(it), 101);
  it.answers.set(1, [later(429, 3), SWITCHED]);
  for (const number of [2, 3]) it.answers.set(number, [FINE, SWITCHED]);
  await shares(it, 3);
  it.answers.set(1, [later(503, 5), SWITCHED]);
  for (let i = 0; i < 3; i++) await upgrade(it);
  await it.pass(5_050);
  assertEquals(it.told.at(-1), "1 is back");
});

test("A 429 to an upgrade leaves its machine to the others, and is the caller's", async () => {
  await using it = await scene(1);
  it.answers.set(1, [later(429, 5)]);
  const answer = await it.pool.upgrade(URL, { protocol: "echo" });
  assert(!("lease" in answer));
  assertEquals([answer.status, answer.retryAfter!.until - answer.retryAfter!.since], [429, 5_000]);
  await answer.dump();
  assertEquals(it.told, ["1 429 for 5000, rests never"]);
});

test("retryAfter: \"wait\" asks for an upgrade again when it was told to, and not before", async () => {
  for (const status of [429, 503]) {
    await using it = await scene(1, { retryAfter: "wait" });
    it.answers.set(1, [later(status, 2), SWITCHED]);
    const asked = upgrade(it);
    await it.pass(1_950);
    assertEquals(it.asked.length, 1);
    await it.pass(300);
    assertEquals([await asked, it.asked.length], [101, 2]);
    const { toldLater, waits } = it.pool.stats().requests;
    assertEquals([toldLater, waits], [1, 1]);
  }
});

test("An upgrade that is not sent yet waits where all machines ask for it", async () => {
  await using it = await scene(1, { retryAfter: "wait" });
  it.answers.set(1, [later(503, 2), SWITCHED]);
  assertEquals(await upgrade(it, { retryAfter: "tell" }), 503);
  const asked = upgrade(it);
  await it.pass(1_900);
  assertEquals(it.asked.length, 1);
  await it.pass(400);
  assertEquals([await asked, it.asked.length], [101, 2]);
});

test("An upgrade waits within its deadline and maxRetryAfterMs alone, and is no endless loop", async () => {
  await using it = await scene(1, { retryAfter: "wait", maxRetryAfterMs: 4_000, restStatuses: [] });
  it.answers.set(1, [later(429, 2)]);
  assertEquals(await upgrade(it, { timeoutMs: 1_900 }), 429);
  it.answers.set(1, [later(429, 5)]);
  assertEquals(await upgrade(it), 429);
  assertEquals(it.pool.stats().requests.waits, 0);
  const asked = it.asked.length;
  it.answers.set(1, [later(429, 0)]);
  assertEquals(await upgrade(it), 429);
  assertEquals(it.asked.length - asked, 11);
});

test("With failoverStatuses an upgrade goes to another machine first, and waits only where none is left", async () => {
  await using it = await scene(2, { retryAfter: "wait", failoverStatuses: [503] });
  for (const number of [1, 2]) it.answers.set(number, [later(503, 2), SWITCHED]);
  const asked = upgrade(it);
  await turns();
  assertEquals(it.asked.length, 2);
  await it.pass(3_000);
  assertEquals([await asked, it.pool.stats().requests.waits], [101, 1]);
});

test("An upgrade that waits ends with its signal, and with the pool", async () => {
  await using it = await scene(1, { retryAfter: "wait" });
  it.answers.set(1, [later(429, 30)]);
  const stop = new AbortController();
  const aborted = upgrade(it, { signal: stop.signal });
  const closed = upgrade(it);
  const late = upgrade(it, { timeoutMs: 40_000 });
  await turns();
  stop.abort(new Error("enough"));
  await assertRejects(() => aborted, Error, "enough");
  const refused = [closed, late].map((asked) => assertRejects(() => asked, ClosedError));
  await it.pool.close({ graceMs: 0 });
  await Promise.all(refused);
  assertEquals(it.clock.timers, 0);
});

test("A WebSocket that is told to come back later waits, or says what it was answered", async () => {
  await using tells = await scene(1);
  tells.answers.set(1, [later(503, 2)]);
  const error = await assertRejects(() => tells.pool.webSocket(URL).opened, WebSocketError);
  assertEquals([error.status, tells.told], [503, ["1 503 for 2000, rests never"]]);
  await using waits = await scene(1, { retryAfter: "wait" });
  waits.answers.set(1, [later(503, 2), "HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n"]);
  const opened = assertRejects(() => waits.pool.webSocket(URL).opened, WebSocketError, "403");
  // Its key comes from the runtime.
  while (waits.asked.length === 0) await new Promise((resolve) => setTimeout(resolve, 1));
  await waits.pass(1_950);
  assertEquals(waits.asked.length, 1);
  await waits.pass(300);
  await opened;
  assertEquals(waits.asked.length, 2);
});

test("upgrade() refuses a bad retryAfter", async () => {
  await using it = await scene(1);
  const options = { retryAfter: true } as unknown as Partial<UpgradeOptions>;
  await assertRejects(() => upgrade(it, options), TypeError, "retryAfter must be");
});
