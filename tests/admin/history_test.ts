import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import test from "node:test";
import {
  History,
  KEPT_SAMPLES,
  MAX_SAMPLED_HOSTS,
  SAMPLE_MS,
} from "../../adapters/admin/history.ts";
import { PoolWatch } from "../../adapters/admin/pool_watch.ts";
import { SampleRing } from "../../adapters/admin/sample_ring.ts";
import { ManualClock } from "../../src/core/clock.ts";
import type { ConnectionPool } from "../../src/pool/pool.ts";
import { adminScene } from "../support/admin_scene.ts";
import { answer, memoryHttp } from "../support/memory_http.ts";
import { memoryPool } from "../support/memory_pool.ts";

const HISTORY = "/api/pools/default/history";

interface Watched {
  readonly pool: ConnectionPool;
  readonly clock: ManualClock;
}

function historyOf(
  { clock, pool }: Watched,
  { onSample, signal }: { onSample?: () => void; signal?: AbortSignal } = {},
): History {
  const watch = new PoolWatch({ pool, clock, signal });
  return new History({ pool, watch, ...onSample && { onSample } });
}

test("a ring of samples keeps the last rows, in place of the oldest", () => {
  const ring = new SampleRing(3, 2);
  for (let row = 0; row < 5; row++) ring.add([row, row * 10]);
  assertEquals([ring.first, ring.count, ring.bytes], [2, 5, 24]);
  const kept = [];
  for (let row = ring.first; row < ring.count; row++) kept.push([...ring.at(row)]);
  assertEquals(kept, [[2, 20], [3, 30], [4, 40]]);
});

test("a sample tells what happened in its interval alone, of the pool and of each host", async () => {
  const clock = new ManualClock();
  let status = "200 OK";
  await using pool = memoryHttp(() => answer(status), { clock });
  const history = historyOf({ pool, clock });
  const ask = async (host: string) => {
    const response = await pool.request(`https://${host}/`);
    await response.text();
  };
  await ask("a.test");
  await ask("a.test");
  clock.advance(SAMPLE_MS);
  status = "500 Oops";
  await ask("a.test");
  await ask("b.test");
  clock.advance(SAMPLE_MS);
  clock.advance(SAMPLE_MS);
  const figures = history.look().samples.map((sample) => [
    ...[sample.ms, sample.acquired, sample.reused, sample.dials, sample.successes],
    sample.statuses,
  ]);
  assertEquals(figures, [
    [SAMPLE_MS, 2, 1, 1, 2, { "2xx": 2 }],
    [SAMPLE_MS, 2, 1, 1, 2, { "5xx": 2 }],
    [SAMPLE_MS, 0, 0, 0, 0, {}],
  ]);
  const [first, , last] = history.look().samples;
  assertEquals(first?.times.reduce((sum, [, count]) => sum + count, 0), 2);
  assertEquals([last?.p50Ms, last?.p99Ms, last?.times, last?.connections], [null, null, [], 2]);
  // Samples of a host begin when it is first seen.
  const of = (host: string) => history.look(host).samples.map(({ statuses }) => statuses);
  assertEquals(of("a.test"), [{ "5xx": 1 }, {}]);
  assertEquals(of("b.test"), [{}]);
  assertEquals([history.look("c.test").kept, history.look("c.test").samples], [false, []]);
  assertEquals(history.look(undefined, first?.at).samples.length, 2);
});

test("percentiles of an interval are those of its own requests, within a step", async () => {
  const clock = new ManualClock();
  await using pool = memoryHttp(() => answer("200 OK"), { clock });
  const history = historyOf({ pool, clock });
  const { total } = pool.histograms() as unknown as { total: { record(ms: number): void } };
  for (let count = 0; count < 1_000; count++) total.record(5);
  clock.advance(SAMPLE_MS);
  for (let count = 0; count < 98; count++) total.record(100);
  for (let count = 0; count < 2; count++) total.record(90_000);
  clock.advance(SAMPLE_MS);
  const [quick, slow] = history.look().samples;
  assertEquals(quick?.times, [[5, 1_000]]);
  assert(Math.abs(quick?.p99Ms! - 5) <= 5 * 0.15, `${quick?.p99Ms}`);
  assert(Math.abs(slow?.p50Ms! - 100) <= 100 * 0.15, `${slow?.p50Ms}`);
  assertEquals(slow?.times, [[112, 98], [131_072, 2]]);
  assert(slow?.p99Ms! > 60_000, `${slow?.p99Ms}`);
});

test("a host's percentiles are of its own requests in the interval, however slow it was before", async () => {
  const clock = new ManualClock();
  let took = 1_000;
  await using pool = memoryHttp(() => {
    clock.advance(took);
    return answer("200 OK");
  }, { clock, hedge: false });
  const ask = async (host: string) => await (await pool.request(`https://${host}/`)).text();
  await ask("a.test");
  const history = historyOf({ pool, clock });
  const start = clock.now();
  const taken = () => clock.advance(SAMPLE_MS - (clock.now() - start) % SAMPLE_MS);
  await ask("a.test");
  taken();
  took = 5;
  for (let count = 0; count < 10; count++) await ask("a.test");
  took = 300;
  await ask("b.test");
  taken();
  taken();
  const [slow, quick, none] = history.look("a.test").samples;
  const within = (ms: number | null | undefined, from: number, to: number) =>
    assert(ms !== null && ms !== undefined && ms > from && ms <= to, `${ms}`);
  within(slow?.p50Ms, 512, 1_024);
  within(slow?.p99Ms, 512, 1_024);
  within(quick?.p50Ms, 4, 8);
  within(quick?.p99Ms, 4, 8);
  assertEquals([none?.p50Ms, none?.p99Ms], [null, null]);
});

test("a pool is looked at by one timer, whoever keeps what is seen", async () => {
  await using scene = memoryPool();
  const { timers } = scene.clock;
  const history = historyOf(scene);
  assertStrictEquals(scene.clock.timers, timers + 1);
  scene.clock.advance(SAMPLE_MS);
  assertStrictEquals(history.look().samples.length, 1);
});

test("thirty minutes are kept, of as many hosts as may be, and the memory does not grow", async () => {
  const names = Array.from({ length: MAX_SAMPLED_HOSTS + 6 }, (_, index) => `h${index}.test`);
  const hosts = Object.fromEntries(names.map((name) => [name, ["192.0.2.1"]]));
  await using scene = memoryPool({ hosts, maxConnectionsPerIp: 100 });
  const { clock, pool } = scene;
  const history = historyOf({ pool, clock });
  for (const name of names) (await pool.acquire(name)).release();
  clock.advance(SAMPLE_MS);
  const view = history.look();
  assertEquals([view.hosts, view.hostsLeftOut], [MAX_SAMPLED_HOSTS, 6]);
  assertEquals([history.look("h0.test").kept, history.look(names.at(-1)).kept], [true, false]);
  const { bytes } = history;
  for (let count = 0; count < KEPT_SAMPLES + 20; count++) clock.advance(SAMPLE_MS);
  const { keptMs, samples } = history.look();
  assertEquals([samples.length, keptMs], [KEPT_SAMPLES, 30 * 60_000]);
  assertEquals(samples.at(-1)!.at - samples[0]!.at, (KEPT_SAMPLES - 1) * SAMPLE_MS);
  assert(history.bytes <= bytes, `${history.bytes} of ${bytes}`);
});

test("no sample is taken of a pool that is closed, nor after the signal", async () => {
  const first = memoryPool();
  let samples = 0;
  const onSample = () => samples++;
  historyOf(first, { onSample });
  first.clock.advance(SAMPLE_MS);
  assertStrictEquals(samples, 1);
  await first.pool.close({ graceMs: 0 });
  historyOf(first, { onSample });
  first.clock.advance(10 * SAMPLE_MS);
  assertStrictEquals(samples, 1);

  await using second = memoryPool();
  const ending = new AbortController();
  historyOf(second, { onSample, signal: ending.signal });
  second.clock.advance(SAMPLE_MS);
  assertStrictEquals(samples, 2);
  ending.abort();
  second.clock.advance(10 * SAMPLE_MS);
  assertStrictEquals(samples, 2);
});

test("the router gives the history to whoever may look, and each sample to who follows", async () => {
  await using scene = adminScene();
  (await scene.pool.acquire("a.test")).release();
  scene.clock.advance(SAMPLE_MS);
  const { everyMs, kept, samples } = await scene.json(HISTORY);
  assertEquals([everyMs, kept, samples.length], [SAMPLE_MS, true, 1]);
  const { at } = samples[0];
  assertEquals((await scene.json(`${HISTORY}?after=${at}`)).samples, []);
  scene.clock.advance(SAMPLE_MS);
  assertEquals((await scene.json(`${HISTORY}?host=A.TEST`)).samples.length, 1);
  assertEquals((await scene.json(`${HISTORY}?host=z.test`)).kept, false);
  await scene.json(`${HISTORY}?host=a%20b`, 400);
  await scene.json(`${HISTORY}?after=soon`, 400);
  await scene.json(HISTORY, 401, { as: null });

  const response = await scene.ask("/api/pools/default/events?events=sample");
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  await reader.read();
  scene.clock.advance(SAMPLE_MS);
  const { value = "" } = await reader.read();
  const [, data = ""] = /^event: sample\ndata: (.*)\n\n$/.exec(value) ?? [];
  assertEquals(JSON.parse(data), (await scene.json(HISTORY)).samples.at(-1));
  await reader.cancel();
});
