import { assert, assertEquals, assertRejects } from "@std/assert";
import test from "node:test";
import { ManualClock } from "../../src/core/clock.ts";
import { staticResolver } from "../../src/hosts/resolver.ts";
import { answer, memoryHttp } from "../support/memory_http.ts";

test("HttpPool counts requests by what became of them, for all and for each host", async () => {
  await using pool = memoryHttp(({ path }, socket) => {
    if (path === "/broken") {
      socket.end();
      return null;
    }
    if (path === "/half") {
      return "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n12345";
    }
    return answer(path === "/missing" ? "404 Not Found" : "200 OK", {}, "hello");
  }, { retryShare: 0 });
  await (await pool.request("https://a.test/")).text();
  await (await pool.request("https://A.test/missing")).text();
  await (await pool.request("https://b.test/")).text();
  await assertRejects(() => pool.request("https://a.test/broken", { method: "POST" }));
  const half = await pool.request("https://b.test/half");
  await half.body.cancel();
  const aborted = AbortSignal.abort();
  await assertRejects(() => pool.request("https://a.test/", { signal: aborted }));
  const { hosts, requests, times } = pool.stats();
  assertEquals(requests, {
    count: 5,
    successes: 3,
    failures: 1,
    cancelled: 1,
    successRate: 0.75,
    retries: 0,
    hedges: 0,
    hedgesWon: 0,
    toldLater: 0,
    waits: 0,
    statuses: { "2xx": 3, "4xx": 1 },
  });
  assertEquals(hosts["a.test"]?.requests, {
    count: 3,
    successes: 2,
    failures: 1,
    cancelled: 0,
    successRate: 2 / 3,
    retries: 0,
    hedges: 0,
    hedgesWon: 0,
    toldLater: 0,
    waits: 0,
    statuses: { "2xx": 1, "4xx": 1 },
  });
  assertEquals(hosts["b.test"]?.requests.cancelled, 1);
  assertEquals([times.total.count, times.firstByte.count], [4, 4]);
  assert(times.total.max! >= times.firstByte.min!);
});

test("HttpPool counts the answers of each address, those too that no caller saw", async () => {
  let asked = 0;
  await using pool = memoryHttp(() => answer(++asked === 1 ? "503 Busy" : "200 OK"), {
    failoverStatuses: [503],
    resolver: staticResolver({ "a.test": ["192.0.2.1", "192.0.2.2"] }),
  });
  await (await pool.request("https://a.test/")).text();
  await (await pool.request("https://a.test/")).text();
  const { hosts, requests } = pool.stats();
  assertEquals(requests.statuses, { "2xx": 2 });
  const sum: Record<string, number> = {};
  for (const { statuses } of Object.values(hosts["a.test"]!.addresses)) {
    for (const [name, count] of Object.entries(statuses)) sum[name] = (sum[name] ?? 0) + count;
  }
  assertEquals(sum, { "2xx": 2, "5xx": 1 });
});

test("HttpPool counts no answer of an attempt that had none, on a connection that has answered", async () => {
  let asked = 0;
  await using pool = memoryHttp((_request, socket) => {
    if (++asked === 1) return answer("200 OK");
    socket.end();
    return null;
  });
  await (await pool.request("https://a.test/")).text();
  await assertRejects(() => pool.request("https://a.test/", { method: "POST" }));
  const { statuses } = pool.stats().hosts["a.test"]!.addresses["192.0.2.1"]!;
  assertEquals(statuses, { "2xx": 1 });
});

test("HttpPool counts how long a host's requests took in buckets that only grow", async () => {
  const clock = new ManualClock(1);
  const pool = memoryHttp(({ path }) => {
    clock.advance(Number(path.slice(1)));
    return answer("200 OK");
  }, { clock, protocols: ["http/1.1"] });
  const tookMs = [0, 0.25, 0.375, 1, 3, 1_024, 1_025, 40_000];
  for (const [index, ms] of tookMs.entries()) {
    await (await pool.request(`https://${index % 2 === 0 ? "a" : "b"}.test/${ms}`)).text();
  }
  const { hosts, latency, latencyBoundsMs } = pool.stats();
  const upTo = (times: readonly number[]) =>
    latencyBoundsMs.map((bound) => times.filter((ms) => ms <= bound).length);
  const sum = (times: readonly number[]) => times.reduce((sum, ms) => sum + ms);
  const told = (times: readonly number[]) => ({
    count: times.length,
    sumMs: sum(times),
    upTo: upTo(times),
  });
  assertEquals(latency, told(tookMs));
  assertEquals(hosts["a.test"]?.latency, told(tookMs.filter((_, index) => index % 2 === 0)));
  clock.advance(700_000);
  assertEquals([pool.stats().hosts, pool.stats().latency], [{}, latency]);
  await pool.close();
});

test("HttpPool counts how often a request was sent once more", async () => {
  let asked = 0;
  await using pool = memoryHttp((_request, socket) => {
    if (++asked === 2) {
      socket.end();
      return null;
    }
    return answer("200 OK");
  });
  await (await pool.request("https://a.test/")).text();
  await (await pool.request("https://a.test/")).text();
  const { count, retries, successes } = pool.stats().requests;
  assertEquals([asked, count, successes, retries], [3, 2, 2, 1]);
});

test("HttpPool counts a request that never had a connection as a failure of its host", async () => {
  await using pool = memoryHttp(() => null, { maxConnections: 1 });
  const lease = await pool.acquire("a.test");
  await assertRejects(() => pool.request("https://b.test/", { timeoutMs: 20 }));
  await assertRejects(() => pool.request("https://a..test/"));
  lease.release();
  const { hosts, requests } = pool.stats();
  assertEquals([requests.failures, hosts["b.test"]?.requests.failures], [2, 1]);
});
