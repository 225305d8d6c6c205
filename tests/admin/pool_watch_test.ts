import { assert, assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { Hono } from "hono";
import test from "node:test";
import { History } from "../../adapters/admin/history.ts";
import { PoolWatch } from "../../adapters/admin/pool_watch.ts";
import { recentOf, takeSample } from "../../adapters/admin/recent.ts";
import { adminRouter } from "../../adapters/hono.ts";
import { ManualClock } from "../../src/core/clock.ts";
import { staticResolver } from "../../src/hosts/resolver.ts";
import type { ConnectionPool } from "../../src/pool/pool.ts";
import { adminScene } from "../support/admin_scene.ts";
import { answer, memoryHttp } from "../support/memory_http.ts";
import { memoryPool } from "../support/memory_pool.ts";

const MINUTE_MS = 60_000;

test("an incident is seen while it lasts, and is gone a minute after its end", async () => {
  const clock = new ManualClock();
  let status = "200 OK";
  await using pool = memoryHttp(() => answer(status), { clock });
  const watch = new PoolWatch({ pool, clock, signal: undefined });
  const ask = async (times: number) => {
    for (let count = 0; count < times; count++) {
      await (await pool.request("https://a.test/")).text();
    }
  };
  // A resolver that takes part of an hour at once is not what this is about.
  const said = () =>
    watch.look().outlook.problems.flatMap(({ text, what }) =>
      what === "resolverFailing" ? [] : [text]
    );
  clock.advance(60 * MINUTE_MS);
  await ask(7);
  assertEquals(said(), []);
  status = "500 Oops";
  await ask(3);
  // At once: nobody waits for the next sample.
  assertEquals(said(), ["a.test: 30 % of answers are 5xx in the last minute"]);
  const { failing, ...seen } = watch.look().outlook.recent;
  assertEquals(Object.values(failing["a.test"] ?? {}), [{ all: 10, serverErrors: 3 }]);
  assert(seen.bytesIn > 0 && seen.bytesOut > 0, `${seen.bytesIn} ${seen.bytesOut}`);
  status = "200 OK";
  clock.advance(MINUTE_MS / 2);
  assertEquals(watch.look().outlook.worst, "critical");
  clock.advance(MINUTE_MS / 2 + 5_000);
  assertEquals(said(), []);
  await ask(10);
  const { recent } = watch.look().outlook;
  assertEquals(said(), []);
  assertEquals([recent.requests.statuses, recent.ms], [{ "2xx": 10 }, MINUTE_MS]);
  assertEquals(recent.hosts["a.test"]?.statuses, { "2xx": 10 });
  assertEquals(recent.hosts["a.test"]?.latency.count, 10);
});

test("percentiles are of the last minute alone", async () => {
  const clock = new ManualClock();
  await using pool = memoryHttp(() => answer("200 OK"), { clock });
  const watch = new PoolWatch({ pool, clock, signal: undefined });
  const { queue, total } = pool.histograms() as unknown as {
    [name: string]: { record(ms: number): void; recordZeros(count: number): void };
  };
  const times = () => {
    const { p50, p99 } = watch.look().outlook.recent.total;
    return [p50, p99];
  };
  assertEquals(times(), [null, null]);
  for (let count = 0; count < 100_000; count++) total!.record(10);
  clock.advance(10 * MINUTE_MS);
  assertEquals(times(), [null, null]);
  for (let count = 0; count < 97; count++) total!.record(20);
  for (let count = 0; count < 3; count++) total!.record(2_000);
  const [p50 = 0, p99 = 0] = times();
  assert(Math.abs(p50! - 20) < 3 && Math.abs(p99! - 2_000) < 300, `${p50} ${p99}`);
  queue!.recordZeros(50);
  assertEquals(watch.look().outlook.recent.queue, { count: 50, p50: 0, p90: 0, p99: 0 });
  clock.advance(MINUTE_MS + 5_000);
  assertEquals(times(), [null, null]);
});

test("what a pool did before its router was made is none of the last minute", async () => {
  const clock = new ManualClock();
  await using pool = memoryHttp(() => answer("500 Oops"), { clock });
  for (let count = 0; count < 5; count++) await (await pool.request("https://a.test/")).text();
  const young = new PoolWatch({ pool, clock, signal: undefined });
  // It has lived for less than a minute: all of it is of late.
  assertEquals(young.look().outlook.worst, "critical");
  clock.advance(10 * MINUTE_MS);
  const late = new PoolWatch({ pool, clock, signal: undefined });
  const { recent, worst } = late.look().outlook;
  assertEquals([worst, recent.requests.count, recent.ms], ["fine", 0, 0]);
});

test("a closed pool is watched no more, and is said to be closed", async () => {
  const { clock, pool } = memoryPool();
  const timers = clock.timers;
  const watch = new PoolWatch({ pool, clock, signal: undefined });
  assertStrictEquals(clock.timers, timers + 1);
  await pool.close({ graceMs: 0 });
  assertEquals(watch.look().outlook.problems.map(({ what }) => what), ["closed"]);
  new PoolWatch({ pool, clock, signal: undefined });
  assertStrictEquals(clock.timers, 0);

  await using second = memoryPool();
  const ending = new AbortController();
  const before = second.clock.timers;
  new PoolWatch({ ...second, signal: ending.signal });
  ending.abort();
  assertStrictEquals(second.clock.timers, before);
});

test("the figures of a pool say what is wrong, and the overview of all of them does", async () => {
  await using scene = adminScene();
  const { outlook } = await scene.json("/api/pools/default/stats");
  assertEquals([outlook.worst, outlook.problems, outlook.closed], ["fine", [], false]);

  await using well = memoryPool();
  await using ill = memoryPool({ hosts: { "a.test": ["192.0.2.1"] } });
  (await ill.pool.acquire("a.test")).release();
  ill.pool.block("192.0.2.1");
  const ending = new AbortController();
  const options = { insecure: true, clock: ill.clock, signal: ending.signal };
  const router = adminRouter({ well: well.pool, ill: ill.pool }, options);
  const app = new Hono().route("/", router);
  const { pools } = await (await app.request("/api/overview")).json();
  const told = Object.fromEntries(
    pools.map((pool: { name: string; worst: string }) => [pool.name, pool.worst]),
  );
  assertEquals(told, { well: "fine", ill: "critical" });
  assertEquals((await app.request("/api/overview?x=1")).status, 400);
  ending.abort();
});

test("what is wrong with a host is said once, by the diagnosis or by the figures", async () => {
  const said = (pool: ConnectionPool, clock: ManualClock) =>
    new PoolWatch({ pool, clock, signal: undefined }).look().outlook.problems
      .filter(({ host }) => host !== undefined)
      .map(({ severity, what }) => `${severity} ${what}`);
  const ask = (pool: ConnectionPool) => assertRejects(() => pool.acquire("a.test"));

  await using unresolved = memoryPool({
    resolver: { name: "none", resolve: () => Promise.reject(new Error("ENOTFOUND")) },
  });
  await ask(unresolved.pool);
  assertEquals(said(unresolved.pool, unresolved.clock), ["critical resolverFailing"]);

  await using refused = memoryPool({ script: () => ({ failure: "refused" }), maxRetries: 0 });
  await ask(refused.pool);
  assertEquals(said(refused.pool, refused.clock), ["critical panic"]);

  await using denied = memoryPool({ access: { deny: ["192.0.2.0/24"] } });
  await ask(denied.pool);
  assertEquals(said(denied.pool, denied.clock), ["critical allDenied"]);

  const clock = new ManualClock();
  const later = () => answer("503 Busy", { "retry-after": "30" });
  await using busy = memoryHttp(later, { clock });
  await (await busy.request("https://a.test/", { method: "POST", body: "" })).text();
  assertEquals(said(busy, clock), ["warning serverErrors", "warning allToldLater"]);
});

test("a host may have the name of what every object has", async () => {
  for (const host of ["constructor", "__proto__"]) {
    const clock = new ManualClock();
    const resolver = staticResolver(Object.fromEntries([[host, ["192.0.2.1"]]]));
    await using pool = memoryHttp(() => answer("500 Oops"), { clock, resolver });
    const watch = new PoolWatch({ pool, clock, signal: undefined });
    const history = new History({ pool, watch });
    clock.advance(2 * MINUTE_MS);
    for (let count = 0; count < 5; count++) await (await pool.request(`https://${host}/`)).text();
    const { failing, hosts } = watch.look().outlook.recent;
    assertEquals([Object.keys(hosts), Object.keys(failing)], [[host], [host]]);
    assertEquals(hosts[host]?.count, 5);
    // Long after it is forgotten samples are taken still.
    clock.advance(40 * MINUTE_MS);
    assertEquals(history.look().samples.length, 180);
    assertEquals(watch.look().outlook.recent.requests.count, 0);
  }
});

test("of very many hosts, one that comes into sight brings no old trouble with it", async () => {
  const clock = new ManualClock();
  await using pool = memoryHttp(() => answer("500 Oops"), { clock });
  for (let count = 0; count < 5; count++) await (await pool.request("https://a.test/")).text();
  const { hosts: { "a.test": ill }, ...stats } = pool.stats();
  const names = Array.from({ length: 1_001 }, (_, index) => `${index}.test`);
  const sampleOf = (names: readonly string[]) =>
    takeSample(
      { ...stats, hosts: Object.fromEntries(names.map((name) => [name, ill!])) },
      pool.histograms(),
    );
  const before = sampleOf(names);
  const { failing, hosts } = recentOf(sampleOf(names.slice(1)), before);
  assertEquals([Object.keys(hosts), Object.keys(failing)], [[], []]);
  const { hosts: all } = recentOf(sampleOf(names.slice(0, 2)), sampleOf(names.slice(1, 2)));
  assertEquals(Object.keys(all), ["0.test"]);
});
