import { assert, assertEquals, assertRejects } from "@std/assert";
import test from "node:test";
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
