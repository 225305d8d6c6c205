/**
 * Checks of addresses over real sockets and real TLS, and what is learned of idle connections.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { deadline } from "@std/async";
import { test } from "node:test";
import { createPool, type CreatePoolOptions } from "../../adapters/detect.ts";
import { ManualClock } from "../../src/core/clock.ts";
import { staticResolver } from "../../src/hosts/resolver.ts";
import type { HttpPool } from "../../src/http/http_pool.ts";
import type { EvictReason } from "../../src/map/exits.ts";
import type { PoolEvents } from "../../src/pool/events.ts";
import type { HealthCheck } from "../../src/pool/watch/health_check.ts";
import { authority, ok, withScene } from "../support/http_scene.ts";
import { answer, memoryHttp } from "../support/memory_http.ts";
import type { Origin } from "../support/origin_process.ts";
import type { Scripts } from "../support/origin_script.ts";
import { shiftedClock } from "../support/shifted_clock.ts";

const URL = "https://a.test/";
const EVERY = 100;
const BAD = "HTTP/1.1 500 Sorry\r\ncontent-length: 0\r\n\r\n";

/** Two machines of a host, and a pool that has been to both. */
interface Pair {
  readonly pool: HttpPool;
  /** The machine that has its troubles, and its address. */
  readonly frail: Origin;
  readonly frailAt: string;
  readonly sound: Origin;
  readonly soundAt: string;
  readonly errors: unknown[];
}

async function withPair(
  healthCheck: HealthCheck,
  body: (pair: Pair) => Promise<void>,
  frailScripts: Scripts = {},
  options: CreatePoolOptions = {},
): Promise<void> {
  const scripts = { "*": [{ send: ok("fine") }] };
  const origin = (ip: string) => ({ origin: { addresses: [ip] }, scripts });
  await withScene(origin("127.0.0.3"), ({ origin: sound }) =>
    withScene(
      { ...origin("127.0.0.2"), scripts: { ...scripts, ...frailScripts } },
      async ({ origin: frail }) => {
        const [frailAt, soundAt] = [`127.0.0.2:${frail.port}`, `127.0.0.3:${sound.port}`];
        await using pool = createPool({
          resolver: staticResolver({ "a.test": [frailAt, soundAt] }),
          tls: { ca: [authority] },
          // By chance alone, whatever the machines' latencies were: it comes to each soon.
          balancer: "random",
          healthCheck,
          healthCheckIntervalMs: EVERY,
          testTimeoutMs: 2_000,
          ...options,
        });
        const errors: unknown[] = [];
        pool.on("dialError", ({ error }) => errors.push(error));
        for (const ip of [frailAt, soundAt]) await ask(pool, ip);
        await body({ pool, frail, frailAt, sound, soundAt, errors });
      },
    ));
}

interface Asked {
  readonly address: string;
  readonly queueMs: number;
  readonly reused: boolean;
}

async function ask(pool: HttpPool, ip?: string): Promise<Asked> {
  const response = await pool.request(URL, { ip, timeoutMs: 4_000 });
  assertEquals(await response.text(), "fine");
  const { address, reused, timings: { queueMs } } = response.connection;
  return { address, queueMs, reused };
}

/** Waits for a verdict. The deadline also keeps the test alive: no check does. */
function verdict(pool: HttpPool, address: string, isOk: boolean): Promise<PoolEvents["check"]> {
  return deadline(
    new Promise((resolve) => {
      const off = pool.on("check", (check) => {
        if (check.address !== address || check.ok !== isOk) return;
        off();
        resolve(check);
      });
    }),
    5_000,
  );
}

/** Makes requests until a machine has served one. */
async function untilServedBy(pool: HttpPool, address: string): Promise<void> {
  for (let i = 0; i < 300; i++) if ((await ask(pool)).address === address) return;
  throw new Error(`${address} served none of 300 requests`);
}

for (const healthCheck of ["connect", "tls", { path: "/healthz" }] as const) {
  const kind = typeof healthCheck === "string" ? healthCheck : "http";
  test(`A machine that dies and comes back is seen by a check of kind ${kind}, and by no caller`, () =>
    withPair(healthCheck, async ({ errors, frail, frailAt, pool, soundAt }) => {
      const down = verdict(pool, frailAt, false);
      await frail.stop();
      assertEquals((await down).kind, kind);
      for (let i = 0; i < 30; i++) assertEquals((await ask(pool)).address, soundAt);
      const up = verdict(pool, frailAt, true);
      await frail.start();
      const { reason } = await up;
      const reasons = { connect: "connect", tls: "handshake", http: "answered 200" };
      assertEquals(reason, reasons[kind]);
      await untilServedBy(pool, frailAt);
      assertEquals(errors, []);
    }));
}

test("An HTTP check with 500 takes a machine out, and 200 brings it back; requests see none of it", () => {
  const healthz = [
    [{ send: ok() }],
    ...Array.from({ length: 6 }, () => [{ send: BAD }]),
    [{ send: ok() }],
  ];
  return withPair({ path: "/healthz" }, async ({ frail, frailAt, pool, soundAt }) => {
    let isUp = false;
    let up: Promise<unknown> | undefined;
    const first = verdict(pool, frailAt, false).then((check) => {
      // It may be up again before the origin has reported.
      up = verdict(pool, frailAt, true).then(() => isUp = true);
      return check;
    });
    assertEquals((await first).reason, "answered 500");
    const before = count(await frail.report(), "/");
    let asked = 0;
    while (!isUp) {
      const { address } = await ask(pool);
      if (isUp) break;
      asked++;
      assertEquals(address, soundAt);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    assert(asked > 0, "no request was made in between");
    await up;
    assert(count(await frail.report(), "/") <= before + 1);
    await untilServedBy(pool, frailAt);
  }, { "/healthz": healthz });
});

test("No caller waits for a check, or dials because of one, however long it takes", () =>
  withPair(
    { path: "/healthz" },
    async ({ frail, frailAt, pool }) => {
      const begun = performance.now();
      let served = 0;
      while (performance.now() - begun < 1_500) {
        const { queueMs, reused } = await ask(pool, frailAt);
        assert(reused, "the connection that it needed was a check's");
        assert(queueMs < 1_000, `waited ${queueMs} ms`);
        served++;
        // Long enough for a check to come in between, and for too few leases to spread over dials.
        await new Promise((resolve) => setTimeout(resolve, 250));
      }
      const report = await frail.report();
      assert(count(report, "/healthz") >= 1, "there was a check to wait for");
      assertEquals(count(report, "/"), served + 1);
    },
    { "/healthz": [{ waitMs: 1_500 }, { send: ok() }] },
    { testTimeoutMs: 10_000 },
  ));

test("A check is over with its head where the body is too long to be worth reading", async () => {
  const clock = new ManualClock();
  const length = 70_000;
  const paths: string[] = [];
  await using pool = memoryHttp(({ path }) => {
    paths.push(path);
    if (path === "/") return answer("200 OK");
    return `HTTP/1.1 200 OK\r\ncontent-length: ${length + 1}\r\n\r\n${"x".repeat(length)}`;
  }, { clock, healthCheck: { path: "/healthz" }, healthCheckIntervalMs: EVERY });
  await (await pool.request(URL)).dump();
  const checked = new Promise<PoolEvents["check"]>((resolve) => pool.on("check", resolve));
  clock.advance(EVERY);
  const { ok, reason } = await deadline(checked, 5_000);
  assertEquals([ok, reason], [true, "answered 200"]);
  assertEquals(paths, ["/", "/healthz"]);
});

test("A check names the host as a request does: a service without its port and labels", async () => {
  const named: string[] = [];
  const clock = new ManualClock();
  const record = { priority: 0, weight: 1, port: 8_443, target: "one.test" };
  await using pool = memoryHttp(({ headers, path }) => {
    named.push(`${path} ${headers.get("host")}`);
    return answer("200 OK");
  }, {
    clock,
    resolver: {
      name: "services",
      resolve: () => Promise.resolve({ addresses: ["192.0.2.1"] }),
      resolveSrv: () => Promise.resolve({ records: [record] }),
    },
    healthCheck: { path: "/healthz" },
    healthCheckIntervalMs: EVERY,
  });
  await pool.warm("srv:_api._tcp.a.test", { connections: 1 });
  const checked = new Promise((resolve) => pool.on("check", resolve));
  clock.advance(EVERY);
  await deadline(checked, 5_000);
  assertEquals(named, ["/healthz a.test"]);
});

test("A check of kind connect lets no http: URL through", async () => {
  await using pool = createPool({
    healthCheck: "connect",
    resolver: staticResolver({ "a.test": ["127.0.0.1:1"] }),
  });
  const error = await pool.request("http://a.test/").then(() => undefined, (error) => error);
  assert(error instanceof TypeError && error.message.includes("plainDialer"), `${error}`);
});

test("For how long a server keeps idle connections is learned of two that it hung up on", () => {
  const clock = shiftedClock();
  return withScene({
    scripts: { "/": [{ send: ok("fine") }] },
    pool: { clock },
  }, async ({ origin, pool, url }) => {
    const evicted: EvictReason[] = [];
    let heard = () => {};
    pool.on("evict", ({ reason }) => {
      evicted.push(reason);
      heard();
    });
    const get = async () => {
      const response = await pool.request(url("/"));
      await response.dump();
      return response.connection.reused;
    };
    for (let i = 0; i < 2; i++) {
      const hungUp = new Promise<void>((resolve) => heard = resolve);
      assertEquals(await get(), false);
      clock.advance(20_000);
      await origin.act({ kind: "end" });
      await deadline(hungUp, 10_000);
    }
    assertEquals(evicted, ["peer", "peer"]);
    assertEquals(await get(), false);
    // The server would keep it still: what is near its end is not trusted.
    clock.advance(19_000);
    assertEquals(await get(), false);
    assertEquals(evicted, ["peer", "peer", "idle"]);
    assertEquals((await origin.report()).accepted, 4);
  });
});

function count(report: Awaited<ReturnType<Origin["report"]>>, path: string): number {
  return report.log.filter((record) => record.path === path).length;
}
